"""The landed log as it is read in columns: bytes as they came, and ticks made again in their place."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.rule_history.landed_log import Record, _records
from schemas.event import decode_tick

CLOCK = 1_767_225_600_500
COLUMNS = [
    (7, 8, 9), (1000, 1001, 1002), (b"one", b"", b"three"), (0, 1, 0), (b"", b"a replay", b""),
    (0, CLOCK, 0), (0, 1, 0), (0, 12, 0),
]  # fmt: skip


def test_events_are_the_bytes_that_came() -> None:
    first, _, last = _records(COLUMNS)
    assert (first, last) == (Record(7, 1000, b"one"), Record(9, 1002, b"three"))


def test_a_tick_says_what_it_said() -> None:
    record = _records(COLUMNS)[1]
    tick = decode_tick(record.value or b"")
    assert tick is not None and (record.offset, record.timestamp) == (8, 1001)
    assert tick.data.clock == datetime.fromtimestamp(CLOCK / 1000, UTC)
    assert (tick.timeline, tick.data.final, tick.data.epoch) == ("a replay", True, 12)


def test_nothing_landed_is_no_records() -> None:
    assert _records([]) == []
