"""One warning decided again from its evidence: the same log up to the same record, by the same rules.

The rules are those that were in force then: the landed ticks carry the epochs, the topic `rules` what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import msgspec
from clickhouse_driver import Client

from deploy.rule_history.landed_log import Connection, Place, Stretch, places, records
from deploy.rules import files as files
from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import LiaowangError, Misdeclared
from schemas.settings import Settings
from schemas.topics import PARTIALS
from streams.watch.declare.rule import Rule
from streams.watch.engine.batches import Batch, encode_batches
from streams.watch.engine.flow import Handed
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.newest import rule_book
from streams.watch.publish.published import RuleBook

_WARNING = "SELECT raw FROM landing.duty_warning WHERE id = %(id)s ORDER BY arrived LIMIT 1"


class NoSuchWarning(LiaowangError):
    """No landed warning has this id."""


class _Data(msgspec.Struct):
    rule: str
    rule_version: int
    evidence: str


class _Warning(msgspec.Struct):
    id: str
    data: _Data


class _Evidence(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    log: str = ""


_warnings = msgspec.json.Decoder(_Warning)
_evidence = msgspec.json.Decoder(_Evidence)


@dataclass(frozen=True)
class Replayed:
    """What came of it: the warning as it was and as it comes out now (None: it does not), as bytes."""

    id: str
    was: bytes
    now: bytes | None
    records: int
    gone: str = ""
    """What of the log it was decided on is not there any more; then nothing is said of a difference."""

    @property
    def identical(self) -> bool:
        """Whether both are the same, byte for byte."""
        return self.was == self.now


def replay(
    settings: Settings,
    contracts: Mapping[str, Contract],
    id: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:
    """Decide the warning `id` (episode and ordinal, `…#1`) again; NoSuchWarning where none is landed."""
    book = rule_book(files.history(settings), contracts)
    with closing(Connection(settings)) as connection:
        client = connection.client
        rows = client.execute(_WARNING, {"id": id})
        if not rows:
            raise NoSuchWarning(f"no warning {id} is landed; `liaowang warnings list` shows the newest")
        was: bytes = rows[0][0]
        said = _warnings.decode(was).data
        evidence = _evidence.decode(said.evidence.encode())
        rule = _rule(book, said.rule, said.rule_version)
        book.complete = True
        log = _Log(client, contracts, book, progress)
        found = log.second(rule, id) if evidence.topic == PARTIALS else log.first(evidence, id)
    now = encode_warning(found, {rule.id: rule}, evidence.log) if found else None
    return Replayed(id, was, now, log.count, "" if now == was else log.gone)


def _rule(book: RuleBook, name: str, version: int) -> Rule:
    if book.history.text(name, version) is None:
        raise Misdeclared(name, "version", f"{version} was never published here; it cannot be decided again")
    return book.rule(name, version)


class _Log:
    """The landed log, run through both stages until a transition comes out."""

    def __init__(
        self,
        client: Client,
        contracts: Mapping[str, Contract],
        book: RuleBook,
        progress: Callable[[int, int], None],
    ) -> None:
        self.count, self.gone = 0, ""
        self._client, self._contracts, self._book, self._progress = client, contracts, book, progress

    def first(self, evidence: _Evidence, id: str) -> Transition | None:
        """A transition of a partition's own rules: the log up to the record that brought it about."""
        contract = next((each for each in self._contracts.values() if each.topic == evidence.topic), None)
        if contract is None:
            self.gone = f"no contract has the topic {evidence.topic} any more"
            return None
        there = [each for each in places(self._client, contract) if each.partition == evidence.partition]
        at = f"{evidence.topic}/{evidence.partition}"
        if evidence.log and all(each.log != evidence.log for each in there):
            self.gone = f"{at}: the log it was decided on, {evidence.log}, was never landed here"
            return None
        logs = dict.fromkeys(each.log for each in reversed(there))
        for log in [evidence.log] if evidence.log else logs:  # the newest first
            mine = [each for each in there if each.log == log]
            if not mine or not mine[0].first <= evidence.offset <= mine[-1].last:
                continue
            found = self._until(contract, mine, evidence.offset, id)
            if found is not None:
                return found
            missing, events = sum(each.missing for each in mine), sum(each.events for each in mine)
            if missing:
                self.gone = (
                    f"{at}: {missing:,} of {events:,} records of that log are landed no more (retention)"
                )
            elif not evidence.log and len(logs) > 1:
                self.gone = f"{at}: the topic was made anew since, and the evidence does not name its log"
        if not self.count and not self.gone:
            self.gone = f"{at}: nothing is landed at offset {evidence.offset}"
        return None

    def _until(self, contract: Contract, there: Sequence[Place], last: int, id: str) -> Transition | None:
        """What comes of one log up to an offset; it may have been landed in several epochs of partitions."""
        found: dict[str, Transition] = {}
        part = self._partition(contract, there[-1])
        for place in there:
            for chunk in records(self._client, contract, replace(place, base=0), Stretch(), last):
                part.observe(chunk, lambda transition: found.update({transition.id: transition}))
                self.count += len(chunk)
                self._progress(self.count, last - there[0].first + 1)
        return found.get(id)

    def second(self, rule: Rule, id: str) -> Transition | None:
        """A transition of the second stage: all partitions of what the rule is made of."""
        names = self._feeds(rule)
        there = [
            (self._contracts[name], place)
            for name in sorted(names)
            for place in places(self._client, self._contracts[name])
        ]
        total = sum(place.size for _, place in there)
        missing, events = sum(place.missing for _, place in there), sum(place.events for _, place in there)
        if missing:
            self.gone = f"{missing:,} of {events:,} records of its feeds are landed no more (retention)"
        gathered: list[Batch] = []
        found: dict[str, Transition] = {}
        before: Place | None = None
        for contract, place in there:
            if before is None or (before.feed, before.partition) != (place.feed, place.partition):
                part = self._partition(contract, place)
            before = place
            for chunk in records(self._client, contract, place, Stretch()):
                part.observe(chunk, lambda transition: None, lambda target, batch: gathered.append(batch))
                self.count += len(chunk)
                self._progress(self.count, total)
        partitions: dict[str, int] = {}
        for contract, place in there:
            partitions[contract.feed] = max(partitions.get(contract.feed, 0), place.partition + 1)
        stage = SecondStage(self._contracts, self._book.rule_set, 0, targets=1, partitions=partitions)
        offset = 0
        while gathered and id not in found:
            handed = [Handed(offset + at, 0, encode_batches([each])) for at, each in enumerate(gathered)]
            offset += len(handed)
            back: list[Batch] = []
            stage.observe(
                handed,
                lambda transition: found.update({transition.id: transition}),
                lambda target, batch, to=back: to.append(batch),  # type: ignore[misc]
            )
            gathered = back
        return found.get(id)

    def _feeds(self, rule: Rule) -> set[str]:
        """The feeds of a rule and of the rules it is made of."""
        found = {feed for feed in rule.feeds if feed in self._contracts and not rule.members}
        for member in rule.members:
            entry = self._book.history.in_force().get(member)
            if entry is not None:
                found |= self._feeds(self._book.rule(member, entry.version))
        return found

    def _partition(self, contract: Contract, place: Place) -> Partition:
        first = self._book.history.first
        return Partition(
            contract,
            Decoder(contract).decode,
            self._book.rule_set(first).rules,
            contract.topic,
            place.partition,
            epoch=first,
            book=self._book.rule_set,
        )
