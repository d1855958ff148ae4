"""Rows become events, as the contract's mapping declares it. Pure: the same rows give the same bytes.

A row ends as one of three things: `Outgoing` events (mostly one; more where a cumulative figure fell),
`Skipped` (not of this feed) or `Unreadable` (no event can be made of it). What an event says is not judged
here: that is the contract's part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from schemas.contract import Contract
from schemas.event import encode_event
from schemas.increase import Increase
from schemas.intake import IntakeMapping
from schemas.subject import joined
from streams.intake.cells import Cells, read_data, read_time, read_whole
from streams.intake.increase import REFUSED, RESTARTED, RISE, Reading, Series, decide

LONGEST = 900_000
"""Bytes of the longest message; brokers refuse 1 MiB and more."""


class Row(NamedTuple):
    """One row of a file: where it ends, and its cells by column."""

    line: int
    cells: Cells


class Outgoing(NamedTuple):
    """One event to be sent. `at` is when it became known; a correction is known later than it occurred.

    Where `at` is None the bytes tell no time; they keep their place behind what stands before them.
    """

    at: datetime | None
    key: bytes | None
    raw: bytes
    correction: bool = False


class Skipped(NamedTuple):
    """A row that is not of this feed."""

    line: int
    reason: str


class Unreadable(NamedTuple):
    """A row of which no event can be made."""

    line: int
    reason: str


class Decided(NamedTuple):
    """What a fall of a cumulative column was taken for: `corrected`, or `restarted`, a new beginning."""

    line: int
    what: str
    text: str


Mapped = Outgoing | Skipped | Unreadable | Decided


def subject_key(subject: tuple[str, ...], data: Mapping[str, Any]) -> bytes | None:
    """Kafka key: the subject fields joined by "|"; None where one is absent or no text or whole number."""
    parts = [data.get(name) for name in subject]
    if any(isinstance(part, bool) or not isinstance(part, str | int) or part == "" for part in parts):
        return None
    return joined(list(map(str, parts))).encode(errors="replace")


def map_rows(
    contract: Contract, mapping: IntakeMapping, timeline: str, rows: Iterable[Row | Skipped | Unreadable]
) -> Iterator[Mapped]:
    """Map each row. Rows of a mapping with derived columns come in order of time, others as they stand."""
    writer = _Writer(contract, mapping, timeline)
    readable: list[_Event] = []
    for row in rows:
        read = _read(mapping, row) if isinstance(row, Row) else row
        if not isinstance(read, _Event):
            yield read
        elif mapping.derive:
            readable.append(read)
        else:
            yield writer.event(read)
    yield from _derived(mapping, writer, sorted(readable, key=lambda event: event.time))


@dataclass
class _Event:
    """An event while its derived columns may still change."""

    line: int
    id: str
    time: datetime
    cells: dict[str, str]
    corrections: int = 0
    last_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.last_id = self.id

    def correct(self) -> str:
        """Take the next correction's id; the id it corrects is returned."""
        corrected, self.corrections = self.last_id, self.corrections + 1
        self.last_id = f"{self.id}~{self.corrections}"
        return corrected


def _read(mapping: IntakeMapping, row: Row) -> _Event | Skipped | Unreadable:
    for skip in mapping.skip:
        if row.cells[skip.column] == skip.equals:
            return Skipped(row.line, f"{skip.column} is {repr(skip.equals) if skip.equals else 'empty'}")
    try:
        id, time = mapping.id.render(row.cells), read_time(mapping.time, row.cells)
    except ValueError as error:
        return Unreadable(row.line, str(error))
    return _Event(row.line, id, time, dict(row.cells))


class _Writer:
    """Writes the events of one mapping and timeline as bytes."""

    def __init__(self, contract: Contract, mapping: IntakeMapping, timeline: str) -> None:
        self._contract, self._mapping, self._timeline = contract, mapping, timeline

    def event(self, event: _Event, at: datetime | None = None, corrects: str = "") -> Outgoing | Unreadable:
        data = read_data(self._mapping.data, event.cells)
        raw = encode_event(
            id=event.last_id,
            source=self._mapping.source,
            type=self._contract.event_type,
            time=event.time,
            data=data,
            corrects=corrects,
            timeline=self._timeline,
        )
        if len(raw) > LONGEST:
            return Unreadable(event.line, f"{len(raw):,} bytes; a message takes {LONGEST:,}")
        return Outgoing(at or event.time, subject_key(self._contract.subject, data), raw, bool(corrects))


def _derived(mapping: IntakeMapping, writer: _Writer, events: Iterable[_Event]) -> Iterator[Mapped]:
    """Events with their derived columns, and the corrections of earlier events that their figures ask for."""
    series: defaultdict[tuple[str, ...], Series] = defaultdict(Series)
    known: dict[str, _Event] = {}
    for event in events:
        told = [_Told(item, reading, of) for item, reading, of in _readings(mapping, series, event)]
        if refused := next((each for each in told if each.what == REFUSED), None):
            yield Unreadable(event.line, f"falls: {refused.text}")
            continue
        yield from (Decided(event.line, each.what, each.text) for each in told if each.what != RISE)
        counts = _observe(told)
        own = {} if event.id in known else counts.pop(event.id, {})
        corrected = [known[id] for id, columns in counts.items() if _update(known[id], columns)]
        for earlier in corrected:
            yield writer.event(earlier, event.time, earlier.correct())
        if known.setdefault(event.id, event) is event:
            _update(event, {item.name: event.cells[item.of] for item in mapping.derive} | own)
            yield writer.event(event)
        elif not corrected:
            yield Skipped(event.line, "repeats an earlier row")


class _Told:
    """One figure of a row, its series, and what the figure is after the one before."""

    def __init__(self, item: Increase, reading: Reading, series: Series) -> None:
        self.item, self.reading, self.series = item, reading, series
        self.what = decide(item, series.latest, reading)

    @property
    def text(self) -> str:
        """What happened, in words."""
        before = self.series.latest.figure if self.series.latest else 0
        went = "falls" if self.reading.figure < before else "goes"
        said = f"{self.item.of} {went} from {before:,} to {self.reading.figure:,}"
        return f"{said}: begins anew" if self.what == RESTARTED else said


def _readings(
    mapping: IntakeMapping, series: defaultdict[tuple[str, ...], Series], event: _Event
) -> Iterator[tuple[Increase, Reading, Series]]:
    """The figures of a row with their series; unreadable ones are passed over."""
    for item in mapping.derive:
        figure = read_whole(event.cells[item.of])
        if figure is not None:
            of = series[item.name, *(event.cells[column] for column in item.by)]
            yield item, Reading(event.id, event.time, figure), of


def _observe(told: Iterable[_Told]) -> dict[str, dict[str, str]]:
    """Return the counts a row sets: event id -> derived column -> count."""
    counts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for each in told:
        if each.what == RESTARTED:
            each.series.begin()
        each.series.latest = each.reading
        for id, count in each.series.observe(each.reading.day, each.reading.figure).items():
            counts[str(id)][each.item.name] = str(count)
    return counts


def _update(event: _Event, columns: Mapping[str, str]) -> bool:
    """Set derived columns; whether that changed anything."""
    changed = any(event.cells.get(name) != text for name, text in columns.items())
    event.cells.update(columns)
    return changed
