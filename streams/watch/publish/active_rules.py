"""The rule book in force, for whoever does not judge by it: titles, levels, roles, wherever they were published.

The topic `rules` is the one home of it. It is looked at every few seconds; what a look finds is one value, swapped
as a whole. Until a first look has found rules, and where the broker is away, what was known before goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread
from types import MappingProxyType
from typing import TypeVar

import msgspec

from schemas.contract import Contract
from schemas.errors import LiaowangError, Misdeclared, Unavailable
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.publish.newest import contracts_then
from streams.watch.publish.published import RULE, History, first_read
from streams.watch.publish.rule_topic import RuleEpochReader

log = logging.getLogger("liaowang.rules")

LOOK_SECONDS = 15.0
T = TypeVar("T")
Contracts = Mapping[str, Contract]


@dataclass(frozen=True)
class RuleBookNow:
    """The rules in force by id; `known`: the newest version of every rule ever published that can be read.

    `unreadable` says why of each version in force that cannot be read here, by `rule@version`.
    """

    rules: Mapping[str, Rule]
    known: Mapping[str, Rule]
    epoch: int = 0
    unreadable: Mapping[str, str] = field(default_factory=dict)


def declared_now(rules: Iterable[Rule]) -> RuleBookNow:
    """A book of rules of files, for as long as the topic is not known."""
    found = {rule.id: rule for rule in rules}
    return RuleBookNow(found, found)


def book_of(
    history: History,
    parse: Callable[[str, int, str], Rule],
    once: Callable[[str, int, str], Rule] | None = None,
) -> RuleBookNow:
    """The book at the end of a history; `parse` makes a rule of id, version and text, or raises Misdeclared.

    `once` does it for versions that are in force no more, which need only have been right then.
    """
    rules: dict[str, Rule] = {}
    known: dict[str, Rule] = {}
    unreadable: dict[str, str] = {}
    for id, entry in history.in_force().items():
        try:
            rules[id] = parse(id, entry.version, entry.text)
        except (Misdeclared, msgspec.MsgspecError) as error:
            unreadable[f"{id}@{entry.version}"] = str(error)
    whole = (entry for offset, entry in history.records if offset < history.epoch)
    for id in sorted({entry.rule for entry in whole if entry.kind == RULE}):
        if found := rules.get(id) or _newest(history, id, once or parse):
            known[id] = found
    return RuleBookNow(rules, known, history.epoch, unreadable)


def _newest(history: History, id: str, parse: Callable[[str, int, str], Rule]) -> Rule | None:
    """The newest version of a rule that can be read: a title of before is better than an id."""
    for _, entry in reversed(history.versions(id)):
        if entry.text:
            try:
                return parse(id, entry.version, entry.text)
            except (Misdeclared, msgspec.MsgspecError):
                continue
    return None


class ActiveRules:
    """Keeps the book of one broker up to date while it is watched. `contracts` gives those in use at the moment.

    `files` gives the rules to go by until the topic has any; it is asked only where that is so.
    """

    def __init__(
        self, bootstrap: str, contracts: Callable[[], Contracts], files: Callable[[], Iterable[Rule]]
    ) -> None:
        self._reader, self._contracts = RuleEpochReader(bootstrap), contracts
        self._files = files
        self._under: Contracts = MappingProxyType({})
        self._newest: Mapping[str, str] = {}
        self._parsed: dict[tuple[str, int, str], Rule] = {}
        self._seen: History | None = None
        self._now: RuleBookNow | None = None
        self._said = ""
        self._stop, self._thread = Event(), Thread(target=self._run, name="active-rules", daemon=True)

    @property
    def now(self) -> RuleBookNow:
        """The book as it was last seen."""
        return self._now or RuleBookNow({}, {})

    def look(self) -> None:
        """Look at the topic; what is the matter is said once, and the book of before goes on."""
        try:
            history = self._reader.history()
            if not history.epoch:
                raise Unavailable(
                    "no rules are published yet; `liaowang up` and `liaowang rules publish` do it"
                )
            if history is not self._seen or history.epoch != self.now.epoch or self.now.unreadable:
                self._now, self._seen = self._read(history), history
            self._tell("")
        except Unavailable as error:
            if self._now is None:
                self._now = declared_now(self._files())
            which = "known before" if self._now.epoch else "of the declarations in use"
            self._tell(f"{error}; going on with the rules {which}")

    def watch(self) -> None:
        """Look now, and from now on beside the caller until `close`."""
        self.look()
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except LiaowangError as error:
                self._tell(f"{error}; going on with the rules known before")
            except Exception:  # whatever it is, the next look may do better, and the book of before goes on
                log.exception("the rules in force cannot be looked at; those known before go on")

    def _read(self, history: History) -> RuleBookNow:
        contracts, newest = self._contracts(), history.newest()
        if contracts is not self._under or newest != self._newest:
            self._under, self._newest, self._parsed = contracts, newest, {}
        book = book_of(history, self._parse, partial(self._parse_once, history))
        for what in sorted(book.unreadable.keys() - self.now.unreadable.keys()):
            log.error(
                "%s is published and cannot be read here, it is passed over: %s", what, book.unreadable[what]
            )
        return book

    def _parse(self, id: str, version: int, text: str) -> Rule:
        place = (
            id,
            version,
            text,
        )  # a topic that was made anew may say something else under the same version
        if place not in self._parsed:
            known = contracts_then(self._under, self._newest)
            self._parsed[place] = parse_published(text, f"{id}@{version}", known)
        return self._parsed[place]

    def _parse_once(self, history: History, id: str, version: int, text: str) -> Rule:
        def read(newest: Mapping[str, str]) -> Rule:
            return parse_published(text, f"{id}@{version}", contracts_then(self._under, newest))

        return first_read(history, read)

    def _tell(self, said: str) -> None:
        if said and said != self._said:
            log.warning("%s", said)
        elif self._said and not said:
            log.warning("the rules in force are known again")
        self._said = said


class Live(Mapping[str, T]):
    """What a function gives at the moment of asking, as a mapping."""

    def __init__(self, now: Callable[[], Mapping[str, T]]) -> None:
        self._now = now

    def __getitem__(self, key: str) -> T:
        return self._now()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


class LiveNames(Collection[str]):
    """What a function gives at the moment of asking, as a collection of names."""

    def __init__(self, now: Callable[[], Collection[str]]) -> None:
        self._now = now

    def __contains__(self, name: object) -> bool:
        return name in self._now()

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())
