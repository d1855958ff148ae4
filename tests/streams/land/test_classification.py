"""Every record of a partition is accounted for, and the account is a function of the log alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.fields import MILLISECOND
from streams.faults import ALL
from streams.land.classification import FAULT, LIVE, TIMELINES, Batch, Feed, Position, check, join
from tests.streams.land.records import NOON, NOON_MS, Record, air, log, minutes, tick

CONTRACT = load_contracts()["ecology.air-quality"]
FEED = Feed(Decoder(CONTRACT).decode, CONTRACT.lateness // MILLISECOND, CONTRACT.skew_ms)
HOURS = 3_600_000


def judge(records: list[Record], position: Position | None = None) -> Batch:
    """The batch of one frame."""
    _, batch = check(FEED, position or Position(records[0].offset), records)
    assert batch is not None
    return batch


def late(*values: bytes | None, arrived: datetime = NOON) -> list[bool]:
    """Which of these events, in this order, are late."""
    return [row.late for row in judge(log(*values, arrived=arrived)).accepted]


def test_accepted_events_keep_offset_arrival_time_and_bytes() -> None:
    raw = air("a", NOON + timedelta(microseconds=123_999))
    (row,) = judge(log(raw, first=7)).accepted
    assert (row.offset, row.arrived, row.time, row.raw, row.late) == (7, NOON_MS, NOON_MS + 123, raw, False)
    assert row.event.id == "a"
    assert row.event.data.station == "330100-01"


def test_a_rejected_event_keeps_its_reason_and_what_is_legible() -> None:
    (row,) = judge(log(air("a", timeline="old", pm25=0))).refused
    assert (row.field, row.rule, row.value) == ("pm25", "missing", "0")
    assert (row.id, row.source, row.timeline) == ("a", "/hangzhou/ecology/air", "old")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        None,
        b"\xff",
        b'{"id": "\xff"}',
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"id": 5, "source": {}}',
        b"{}",
    ],
    ids=["empty", "tombstone", "no utf-8", "bad text", "too deep", "null", "array", "wrong types", "nothing"],
)
def test_no_bytes_stop_landing(raw: bytes | None) -> None:
    batch = judge(log(raw, air("b")))
    assert [(len(batch.accepted), len(batch.refused), batch.control)] == [(1, 1, 0)]
    assert batch.refused[0].raw == (raw or b"")


def test_ticks_and_holes_between_offsets_are_control() -> None:
    batch = judge(log(air("a"), tick(NOON), air("b"), first=10, step=3), Position(8))
    assert (batch.first, batch.last) == (8, 16)
    assert (len(batch.accepted), len(batch.refused), batch.control) == (2, 0, 7)
    (row,) = batch.ticks
    assert (row.offset, row.clock, row.final, row.timeline) == (13, NOON_MS, False, LIVE)


def test_a_tick_without_offset_from_utc_is_no_tick() -> None:
    assert len(judge(log(tick(NOON).replace(b"+00:00", b""))).refused) == 1


def test_an_event_is_late_strictly_below_watermark_minus_lateness() -> None:
    edge = NOON - CONTRACT.lateness
    assert late(air("a"), air("b", edge), air("c", edge - timedelta(milliseconds=1))) == [False, False, True]


def test_ticks_move_time_too() -> None:
    assert late(tick(NOON), air("a", NOON - CONTRACT.lateness - minutes(1))) == [True]


def test_a_replay_neither_makes_live_events_late_nor_is_late_itself() -> None:
    old = NOON - timedelta(days=3000)
    assert (
        late(air("a"), air("b", old, "replay"), air("c", old - minutes(1), "replay"), air("d")) == [False] * 4
    )
    assert late(tick(NOON, "replay"), air("a", NOON - timedelta(days=1))) == [False]


def test_a_fast_clock_counts_up_to_its_arrival() -> None:
    honest = NOON - CONTRACT.lateness
    assert late(air("fast", NOON + CONTRACT.skew), air("honest", honest)) == [False, False]
    batch = judge(log(air("fast", NOON + CONTRACT.skew)))
    assert batch.watermarks == {LIVE: NOON_MS}
    assert [row.time for row in batch.accepted] == [NOON_MS + CONTRACT.skew_ms]  # landed as it was sent


def test_what_is_further_ahead_than_the_skew_is_rejected_and_the_offsets_balance() -> None:
    times = [NOON + CONTRACT.skew, NOON + CONTRACT.skew + 2 * MILLISECOND, NOON + timedelta(days=365)]
    batch = judge(log(*(air(str(number), time) for number, time in enumerate(times)), air("x", pm25=0)))
    assert [(row.offset, row.field, row.rule) for row in batch.refused] == [
        (1, "time", "future"), (2, "time", "future"), (3, "pm25", "missing"),
    ]  # fmt: skip
    assert batch.refused[1].value == times[2].isoformat() and batch.refused[1].id == "2"
    assert (len(batch.accepted), batch.control, batch.watermarks) == (1, 0, {LIVE: NOON_MS})
    strict = check(replace(FEED, skew=0), Position(0), log(air("a"), air("b", NOON + 2 * MILLISECOND)))[1]
    assert strict is not None and [row.id for row in strict.refused] == ["b"]


def test_rejected_events_do_not_move_time() -> None:
    assert judge(log(air("a", pm25=0))).watermarks == {}


def test_invented_timelines_do_not_grow_the_account() -> None:
    values = [air("live", NOON - timedelta(days=9))]
    values += [air(str(i), NOON + i * MILLISECOND, f"t{i}") for i in range(TIMELINES + 50)]
    marks = judge(log(*values)).watermarks
    assert len(marks) == TIMELINES
    assert LIVE in marks
    assert f"t{TIMELINES + 49}" in marks
    assert "t0" not in marks


def test_what_the_ledger_has_is_left_out() -> None:
    records = log(air("a"), air("b"), air("c"))
    position, batch = check(FEED, Position(2), records)
    assert batch is not None
    assert (batch.first, [row.event.id for row in batch.accepted], position.next) == (2, ["c"], 3)
    assert check(FEED, position, records) == (position, None)


moments = st.integers(-1440, 1440).map(lambda n: NOON + minutes(n))
timelines = st.sampled_from(["", "", "replay", "other"])
values = st.one_of(
    st.builds(lambda at, line, n: air(f"e{n}", at, line), moments, timelines, st.integers(0, 5)),
    st.builds(tick, moments, timelines, st.booleans()),
    st.builds(lambda at: air("bad", at, pm25=-1), moments),
    st.sampled_from([b"", b"{", None]),
)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A log with holes, arrivals that mostly go forward, and anything in it."""
    records, offset, arrived = [], draw(st.integers(0, 3)), NOON_MS
    for value in draw(st.lists(values, min_size=1, max_size=30)):
        records.append(Record(offset, arrived, value))
        offset += draw(st.sampled_from([1, 1, 1, 2, 5]))
        arrived += draw(st.integers(-5, HOURS))
    return records


@given(logs(), st.data())
def test_the_account_does_not_depend_on_frames_or_replays(records: list[Record], data: st.DataObject) -> None:
    start = Position(0)
    whole = judge(records, start)
    batches, position, at = [], start, 0
    while at < len(records):
        again = data.draw(st.integers(0, at), label="replayed from")
        until = data.draw(st.integers(at + 1, len(records)), label="frame ends before")
        position, batch = check(FEED, position, records[again:until])
        batches += [batch] if batch else []
        at = until
    assert join(batches) == whole
    assert position == Position(whole.last + 1, whole.watermarks)


@given(logs())
def test_every_offset_is_counted_once(records: list[Record]) -> None:
    batch = judge(records, Position(0))
    assert (batch.first, batch.last) == (0, records[-1].offset)
    seen = [row.offset for rows in (batch.accepted, batch.refused, batch.ticks) for row in rows]
    assert sorted(seen) == [record.offset for record in records]
    assert len(batch.accepted) + len(batch.refused) + batch.control == batch.last + 1


def fails(raw: bytes) -> Any:
    """A decoder with a fault of its own over events of one kind."""
    if b"poison" in raw:
        raise KeyError("no such station")
    return FEED.decode(raw)


def test_a_record_over_which_the_program_fails_is_refused_with_its_bytes_and_the_others_go_on() -> None:
    feed = replace(FEED, decode=fails, shown=lambda error: f"told\x1b {error}")
    records = log(air("a"), air("poison"), tick(NOON), air("b"))
    position, batch = check(feed, Position(0), records)
    assert batch is not None and position.next == 4
    assert [row.event.id for row in batch.accepted] == ["a", "b"]
    (row,) = batch.refused
    assert (row.offset, row.field, row.rule, row.id, row.raw) == (
        1,
        "event",
        FAULT,
        "poison",
        records[1].value,
    )
    assert row.value == "told\\u001b 'no such station'"


@pytest.mark.parametrize("cut", [1000, 10, 1])
def test_where_the_program_fails_over_many_records_in_a_row_landing_ends(cut: int) -> None:
    feed = replace(FEED, decode=fails)

    def land(*values: bytes) -> int:
        records, position, refused = log(*values), Position(0), 0
        for start in range(0, len(records), cut):
            position, batch = check(feed, position, records[start : start + cut])
            refused += len(batch.refused) if batch else 0
        return refused

    poison = [air("poison") for _ in range(ALL)]
    with pytest.raises(KeyError, match="no such station"):
        land(air("good"), *poison, tick(NOON), air("poison"))
    assert land(*poison, air("good"), *poison) == 2 * ALL
    _, batch = check(feed, Position(0), log(*poison, air("poison"), air("good")))
    assert batch is not None and len(batch.refused) == ALL + 1, "others of the frame can be read"
