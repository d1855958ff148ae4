"""Files of events for a rule to be tried on: one JSON document a line, with or without the CloudEvents envelope.

A line is a CloudEvent; or `{"time": …, "data": {…}}`, with `id`, `source` and `feed` where they matter (`feed`
where the rule reads several feeds); or the data itself beside its `time`; or `{"tick": …}`, the clock of one
`feed` or of all. A plain line without an id is an event of its own: only events that carry the same id and source
are copies of each other. `arrival` may say when a line came in; where it does not, `arrivals` supposes it. An
event further ahead of its arrival than the contract's skew is rejected, as everywhere (`in_time`).
"""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import LIVE, TICK_TYPE, encode_event, encode_tick
from schemas.fields import SHANGHAI, milliseconds
from schemas.majors import named
from schemas.skew import future

SOURCE = "/liaowang/rules/run"
AHEAD = 10
"""How many events of a file are looked ahead for one whose clock is ahead."""

_DECODE = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class TrialEvent:
    """One event or tick of a feed as the bytes that would be in Kafka.

    `at` is its event time or clock, ms; `arrival` when it came in, where that is known or `supposed`; `line` the
    number of its line.
    """

    feed: str
    at: int
    raw: bytes
    tick: bool = False
    timeline: str = LIVE
    arrival: int | None = None
    supposed: bool = False
    line: int = 0


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be taken, and why."""

    number: int
    problem: str


class LineReader:
    """Reads lines as events of some feeds."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self._contracts = contracts
        self._decoders = {feed: Decoder(contract) for feed, contract in contracts.items()}
        self._types = {contract.event_type: feed for feed, contract in contracts.items()}

    def read(self, lines: Iterable[bytes]) -> Iterator[TrialEvent | BadLine]:
        """Read all lines; blank ones are passed over. A tick of all feeds gives one for each."""
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)
            if line.strip():
                try:
                    yield from self._line(number, line.strip())
                except ValueError as error:
                    yield BadLine(number, str(error))
                except Rejected as error:
                    yield BadLine(number, f"breaks the contract: {error}".removesuffix(": "))

    def _line(self, number: int, raw: bytes) -> list[TrialEvent]:
        try:
            document = _DECODE(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"is no JSON: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("must be a JSON object")
        if "tick" in document or document.get("type") == TICK_TYPE:
            return self._ticks(number, document)
        feed = self._feed(document)
        if "specversion" not in document:
            raw = self._enveloped(number, feed, document)
        event = self._decoders[feed].decode(raw)
        came = _arrival(document)
        return [
            TrialEvent(
                feed, milliseconds(event.time), raw, timeline=event.timeline, arrival=came, line=number
            )
        ]

    def _feed(self, document: Mapping[str, Any]) -> str:
        """The feed a line names, by `feed` or its type; the only one where there is one."""
        said = document.get("feed") or self._types.get(str(document.get("type")))
        if said is None and document.get("type") is not None:
            raise ValueError(f"type {document['type']!r} is none of {', '.join(self._types)}")
        if said is None and len(self._contracts) > 1:
            raise ValueError(f'must name its "feed", one of {", ".join(self._contracts)}')
        feed = said or next(iter(self._contracts))
        contract = named(self._contracts, feed) if isinstance(feed, str) else None
        if contract is None:
            raise ValueError(f"feed {feed!r} is none the rule reads: {', '.join(self._contracts)}")
        return contract.feed

    def _enveloped(self, number: int, feed: str, document: Mapping[str, Any]) -> bytes:
        data = document.get("data", document)
        if not isinstance(data, dict):
            raise ValueError('must have "data", an object, and "time"; or be a CloudEvent')
        return encode_event(
            id=str(document.get("id") or f"line {number}"),
            source=str(document.get("source") or SOURCE),
            type=self._contracts[feed].event_type,
            time=moment(document.get("time"), "time"),
            data=data,
            corrects=str(document.get("corrects") or ""),
        )

    def _ticks(self, number: int, document: Mapping[str, Any]) -> list[TrialEvent]:
        data = document.get("data")
        text = document.get("tick") or (data.get("clock") if isinstance(data, dict) else None)
        clock = moment(text, "tick")
        feeds = [self._feed(document)] if "feed" in document else list(self._contracts)
        timeline = str(document.get("timeline") or LIVE)
        came = _arrival(document)
        ticks = [tick(feed, clock, f"line {number}", timeline) for feed in feeds]
        return [replace(each, arrival=came, line=number) for each in ticks]


def tick(feed: str, clock: datetime, id: str, timeline: str = LIVE) -> TrialEvent:
    """A tick of one feed."""
    raw = encode_tick(id=id, clock=clock, timeline=timeline)
    return TrialEvent(feed, milliseconds(clock), raw, tick=True, timeline=timeline)


def by_time(found: Iterable[TrialEvent | BadLine]) -> Iterator[TrialEvent | BadLine]:
    """The same in order of time, or arrival where it is known; bad lines first. Everything is read before."""
    return iter(sorted(found, key=lambda each: _came(each) if isinstance(each, TrialEvent) else -math.inf))


def _came(each: TrialEvent) -> int:
    return each.at if each.arrival is None else each.arrival


def arrivals(
    found: Iterable[TrialEvent | BadLine], disorder: Mapping[str, int]
) -> Iterator[TrialEvent | BadLine]:
    """The same with an arrival for each event that has none: its own time, unless its clock is ahead.

    `disorder`, by feed, is how far (ms) events may be out of order. A clock is ahead where at least half of the
    next AHEAD events are earlier by more than that, and would not be late without it: they came later and had not
    occurred yet. Such an event arrives with the earliest of these.
    """
    coming: deque[TrialEvent | BadLine] = deque()
    clock = -math.inf
    for each in chain(found, repeat(None, AHEAD)):
        if each is not None:
            coming.append(each)
        if len(coming) > AHEAD or (each is None and coming):
            first = coming.popleft()
            if isinstance(first, TrialEvent):
                first = _arrived(first, coming, disorder, clock)
                clock = max(clock, _came(first))
            yield first


def _arrived(
    each: TrialEvent, coming: Iterable[TrialEvent | BadLine], disorder: Mapping[str, int], clock: float
) -> TrialEvent:
    if each.tick or each.arrival is not None:
        return each
    beyond = disorder[each.feed]
    times = [other.at for other in coming if isinstance(other, TrialEvent) and not other.tick]
    earlier = [at for at in times if clock - beyond <= at < each.at - beyond]
    if not earlier or 2 * len(earlier) < len(times):
        return replace(each, arrival=each.at)
    return replace(each, arrival=int(max(clock, min(earlier))), supposed=True)


def in_time(
    found: Iterable[TrialEvent | BadLine], contracts: Mapping[str, Contract]
) -> Iterator[TrialEvent | BadLine]:
    """The same, but an event too far ahead of its arrival is a bad line."""
    for each in found:
        if isinstance(each, BadLine) or each.tick or each.arrival is None:
            yield each
            continue
        time = datetime.fromtimestamp(each.at / 1000, UTC).astimezone(SHANGHAI)
        refused = future(time, each.arrival, contracts[each.feed].skew_ms)
        yield BadLine(each.line, _ahead(each, refused)) if refused else each


def _ahead(each: TrialEvent, refused: Rejected) -> str:
    came = datetime.fromtimestamp((each.arrival or 0) / 1000, UTC).astimezone(SHANGHAI).isoformat()
    if not each.supposed:
        return f"breaks the contract: {refused}, arrived {came}"
    why = f"the lines after it are of {came}: it is taken to have arrived with them"
    return f'breaks the contract: {refused}; {why} (say its "arrival", or --order time sorts the lines)'


def _arrival(document: Mapping[str, Any]) -> int | None:
    arrival = document.get("arrival")
    return None if arrival is None else milliseconds(moment(arrival, "arrival"))


class NoMoment(ValueError):
    """No time with an offset: `problem` says of a value that has a name what would be right."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f'"{name}" {problem}')
        self.problem = problem


def moment(value: Any, name: str) -> datetime:
    """A time with offset; NoMoment says what would be right."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        was = "is missing; it must be" if value is None else "must be"
        but = "" if value is None else f", not {value!r}"
        raise NoMoment(name, f"{was} ISO 8601 with an offset, such as 2026-03-01T09:00:00+08:00{but}")
    return found
