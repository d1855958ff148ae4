"""Published rules: which versions are in force from which tick on. Pure; the topic `rules` is their log.

Every record is one version of one rule, or its retirement; nothing is ever overwritten. A publication may hold
several rules: all of its records but the last say `more`, and only the last makes a **rule epoch**, its
offset + 1. The set of rules of a rule epoch is what the records before it say. Ticks carry it in their field
`epoch`, so every partition changes its rules at a tick, and a replay of the log changes them at the same places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from schemas.declaration import parse_yaml
from schemas.errors import Misdeclared
from streams.watch.declare.baseline import BaselineTable, read_table
from streams.watch.declare.rule import Rule

RULE, BASELINE, NEWEST = "rule", "baseline", "newest"
Found = TypeVar("Found")
Parse = Callable[[str, str], Rule]
"""Makes a rule of its text and of where that stands; Misdeclared where it is none."""
Newest = tuple[tuple[str, str], ...]
"""(feed, event type) of the major versions that feeds' names stand for, sorted."""

LARGEST = 900_000
"""Bytes of a baseline's rows: a record of the topic takes a megabyte."""


class RuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the topic: a version of a rule published, or (without text) a rule retired at a version.

    A baseline is published the same way: `rule` is its table's name then, `text` its rows as JSON; and so is which
    major version rules read by a feed's name: `rule` is that name, `text` the event type.
    """

    rule: str
    version: int
    text: str
    at: datetime
    more: bool = False
    kind: str = RULE

    @property
    def key(self) -> bytes:
        """Its Kafka key; each stands once, so that compaction drops nothing."""
        if self.kind != RULE:
            return f"{self.kind}:{self.rule}@{self.version}".encode()
        return f"{self.rule}@{self.version}{'' if self.text else '/retired'}".encode()


_entries = msgspec.json.Decoder(RuleRecord)


def encode_record(entry: RuleRecord) -> bytes:
    """The record's bytes."""
    return msgspec.json.encode(entry)


@dataclass(frozen=True)
class RuleSet:
    """The rules in force from an epoch on, and the baselines they compare with, by name."""

    epoch: int
    rules: tuple[Rule, ...]
    tables: Mapping[str, BaselineTable] = field(default_factory=dict)


class UnknownRuleEpoch(Exception):
    """A tick carries a rule epoch whose records have not arrived here yet: wait for them."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the rules of epoch {epoch} are not known here yet")
        self.epoch = epoch


class NeverPublished(Exception):
    """A tick carries a rule epoch that the topic of rules does not have: it changes no rules, now or in a replay.

    `newest`: the last one that the topic has.
    """

    def __init__(self, epoch: int, newest: int = 0) -> None:
        super().__init__(f"no rules were ever published with epoch {epoch}")
        self.newest = newest


class History:
    """All records of the topic so far, in order."""

    def __init__(self, records: Iterable[tuple[int, RuleRecord]] = (), log: str = "") -> None:
        """`log`: the broker's id of the log they are of, where it is known."""
        self._records, self.log = list(records), log

    def add(self, offset: int, raw: bytes | None) -> bool:
        """Take one record; one that came already is left out. False where it is no publication: left out too."""
        if self._records and offset <= self._records[-1][0]:
            return True
        try:
            entry = _entries.decode(raw or b"")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        self._records.append((offset, entry))
        return True

    @property
    def records(self) -> Sequence[tuple[int, RuleRecord]]:
        """(offset, record) in order."""
        return self._records

    @property
    def epoch(self) -> int:
        """The latest rule epoch; 0 before the first publication."""
        return max(self.epochs, default=0)

    @property
    def epochs(self) -> list[int]:
        """All rule epochs, in order."""
        return [offset + 1 for offset, entry in self._records if not entry.more]

    @property
    def first(self) -> int:
        """The first rule epoch; 0 before the first publication."""
        return min(self.epochs, default=0)

    def in_force(self, epoch: int | None = None) -> dict[str, RuleRecord]:
        """The version of each rule in force in an epoch (the latest by default); retired ones are left out."""
        return self._latest(RULE, epoch)

    def baselines(self, epoch: int | None = None) -> dict[str, RuleRecord]:
        """The version of each baseline in force in an epoch (the latest by default), by name."""
        return self._latest(BASELINE, epoch)

    def newest_records(self, epoch: int | None = None) -> dict[str, RuleRecord]:
        """What says which major version a feed's name stands for in an epoch (the latest by default), by name."""
        return self._latest(NEWEST, epoch)

    def newest(self, epoch: int | None = None) -> dict[str, str]:
        """The event type a feed's name stands for in an epoch, as far as that was published."""
        return {name: entry.text for name, entry in self.newest_records(epoch).items()}

    def newest_so_far(self) -> list[dict[str, str]]:
        """What `newest` has been, oldest first; at the beginning nothing."""
        found: list[dict[str, str]] = [{}]
        for _, entry in self._records:
            if entry.kind == NEWEST:
                found.append(found[-1] | {entry.rule: entry.text})
        return found

    def _latest(self, kind: str, epoch: int | None) -> dict[str, RuleRecord]:
        until = self.epoch if epoch is None else epoch
        latest: dict[str, RuleRecord] = {}
        for offset, entry in self._records:
            if offset < until and entry.kind == kind:
                latest[entry.rule] = entry
        return {name: entry for name, entry in sorted(latest.items()) if entry.text}

    def versions(self, rule: str) -> list[tuple[int, RuleRecord]]:
        """All records of one rule, oldest first, each with its offset."""
        return [(at, entry) for at, entry in self._records if entry.rule == rule and entry.kind == RULE]

    def text(self, rule: str, version: int) -> str | None:
        """What was published as this version; None where it never was."""
        texts = [entry.text for _, entry in self.versions(rule) if entry.version == version and entry.text]
        return texts[0] if texts else None


@dataclass(frozen=True)
class Draft:
    """A rule as a file has it: what would be published."""

    rule: str
    version: int
    text: str
    where: str


def plan(history: History, drafts: Sequence[Draft], now: datetime) -> list[RuleRecord]:
    """The records that publish what is new of these; Misdeclared where a version stands for something else."""
    fresh = [draft for draft in drafts if _is_new(history, draft)]
    return closed(
        RuleRecord(rule=each.rule, version=each.version, text=each.text, at=now, more=True) for each in fresh
    )


def plan_files(history: History, drafts: Sequence[Draft], now: datetime) -> list[RuleRecord]:
    """As `plan`, but files that are behind what is published, or of a retired version, are left alone."""
    newest = {entry.rule: entry.version for _, entry in history.records if entry.kind == RULE}
    return plan(history, [each for each in drafts if each.version >= newest.get(each.rule, 0)], now)


def new_baseline(history: History, name: str, rows: Sequence[Mapping[str, Any]], now: datetime) -> RuleRecord:
    """The record that publishes the next version of a baseline; Misdeclared where a row is wrong."""
    kept = history.baselines().get(name)
    version = 1 if kept is None else kept.version + 1
    read_table(version, rows, f"baseline {name}")
    text = msgspec.json.encode(rows).decode()
    if len(text) > LARGEST:
        raise Misdeclared(
            f"baseline {name}", "rows", f"{len(rows)} rows are {len(text):,} bytes; {LARGEST:,} fit"
        )
    return RuleRecord(rule=name, version=version, text=text, at=now, kind=BASELINE)


def retirement(history: History, rule: str, now: datetime) -> list[RuleRecord]:
    """The record that retires a rule; Misdeclared where it is not in force."""
    entry = history.in_force().get(rule)
    if entry is None:
        raise Misdeclared(
            rule, "rule", f"is not in force; there are {', '.join(history.in_force()) or 'none'}"
        )
    return [RuleRecord(rule=rule, version=entry.version, text="", at=now)]


def same_rule(one: str, other: str) -> bool:
    """Whether two texts say the same rule; comments, order and examples do not matter."""
    return one == other or _meaning(one) == _meaning(other)


def _is_new(history: History, draft: Draft) -> bool:
    published = history.text(draft.rule, draft.version)
    newest = max((entry.version for _, entry in history.versions(draft.rule)), default=0)
    if published is not None and not same_rule(published, draft.text):
        problem = f"version {draft.version} is published and says something else; raise it to {newest + 1}"
        raise Misdeclared(draft.where, "version", problem)
    if published is None and draft.version < newest:
        raise Misdeclared(draft.where, "version", f"{newest} is published already; raise it to {newest + 1}")
    if published is not None and draft.version < newest:
        raise Misdeclared(
            draft.where,
            "version",
            f"{newest} is in force; to go back publish this text as version {newest + 1}",
        )
    return published is None


def closed(entries: Iterable[RuleRecord]) -> list[RuleRecord]:
    """These records as one publication: the last of them says no `more`."""
    found = list(entries)
    return [*found[:-1], *(msgspec.structs.replace(each, more=False) for each in found[-1:])]


def _meaning(text: str) -> str:
    document = dict(parse_yaml(text, "rule", published=True).value)
    document.pop("examples", None)
    return json.dumps(document, sort_keys=True, default=str)


class RuleBook:
    """The sets of rules of all epochs known here; each version is parsed once.

    What stands on the topic as a rule and is none is left out of every set, so that the others go on; `broken` is
    told once which and why.
    """

    def __init__(
        self,
        history: History,
        parse: Parse,
        broken: Callable[[str, str], None] = lambda what, why: None,
        then: Callable[[Mapping[str, str]], Parse] | None = None,
    ) -> None:
        """`then`: what parses while these event types were the newest of their feeds; `parse` where it is None."""
        self.history = history
        self._then, self._broken = then or (lambda newest: parse), broken
        self._told: set[str] = set()
        self._never: set[int] = set()
        self.complete = False
        self._rules: dict[tuple[str, int], dict[Newest, Rule]] = {}
        self._tables: dict[tuple[str, int], BaselineTable] = {}
        self._sets: dict[int, RuleSet] = {}

    def rule_set(self, epoch: int) -> RuleSet:
        """The rules of an epoch; UnknownRuleEpoch where its record is to come, NeverPublished where none is."""
        if epoch > self.history.epoch:
            if epoch in self._never or self.complete:
                raise NeverPublished(epoch, self.history.epoch)
            raise UnknownRuleEpoch(epoch)
        if epoch not in self._sets:
            entries = self.history.in_force(epoch).values()
            read = partial(self._rule, self.history.newest(epoch))
            rules = [found for entry in entries if (found := self._whole(entry, read)) is not None]
            tables = {
                name: table
                for name, entry in self.history.baselines(epoch).items()
                if (table := self._whole(entry, self._table)) is not None
            }
            self._sets[epoch] = RuleSet(epoch, tuple(rules), tables)
        return self._sets[epoch]

    def pass_over(self, epoch: int) -> None:
        """Know from now on that an epoch was never published."""
        self._never.add(epoch)
        self._broken(
            f"epoch {epoch}", "a tick names it and no rules were ever published with it: the rules stay"
        )

    def _whole(self, entry: RuleRecord, read: Callable[[RuleRecord], Found]) -> Found | None:
        """What an entry stands for; None where it stands for nothing, which is told once."""
        try:
            return read(entry)
        except (Misdeclared, msgspec.MsgspecError) as error:
            what = f"{entry.kind} {entry.rule}@{entry.version}"
            if what not in self._told:
                self._told.add(what)
                self._broken(what, f"is published and cannot be read: {error}")
            return None

    def rule(self, rule: str, version: int) -> Rule:
        """One version that was published, in force or not; as it was last read, or can be read."""
        if known := self._rules.get((rule, version)):
            return list(known.values())[-1]
        return first_read(self.history, partial(self._read, rule, version))

    def _read(self, rule: str, version: int, newest: Mapping[str, str]) -> Rule:
        """A version as it reads then; the same object wherever it reads the same."""
        known = self._rules.setdefault((rule, version), {})
        key = tuple(sorted(newest.items()))
        if key not in known:
            text = self.history.text(rule, version)
            if text is None:
                raise Misdeclared(f"{rule}@{version}", "version", "was never published")
            found = self._then(newest)(text, f"{rule}@{version}")
            known[key] = next((each for each in known.values() if each == found), found)
        return known[key]

    def _table(self, entry: RuleRecord) -> BaselineTable:
        place = (entry.rule, entry.version)
        if place not in self._tables:
            rows = msgspec.json.decode(entry.text)
            self._tables[place] = read_table(entry.version, rows, f"baseline {entry.rule}@{entry.version}")
        return self._tables[place]

    def _rule(self, newest: Mapping[str, str], entry: RuleRecord) -> Rule:
        return self._read(entry.rule, entry.version, newest)


def first_read(history: History, read: Callable[[Mapping[str, str]], Found]) -> Found:
    """What reads under the newest major versions of now or, where that is Misdeclared, of before."""
    *before, latest = history.newest_so_far()
    try:
        return read(latest)
    except Misdeclared:
        for newest in reversed(before):
            with suppress(Misdeclared):
                return read(newest)
        raise


def standing(book: Callable[[int], RuleSet], epoch: int) -> RuleSet:
    """The rules for an epoch that was in force here: the newest where the topic, made anew, has it no more."""
    try:
        return book(epoch)
    except NeverPublished as gone:
        return book(gone.newest)


def fixed(rules: Sequence[Rule]) -> Callable[[int], RuleSet]:
    """One set of rules for every epoch: for rules that come from files and not from the topic."""
    held = tuple(rules)
    return lambda epoch: RuleSet(epoch, held)
