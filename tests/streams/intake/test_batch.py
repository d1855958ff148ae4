"""Batches: the three forms of a body, and what is wrong with each event."""

from __future__ import annotations

import gzip
import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.decoder import Decoder
from schemas.event import decode_tick, encode_tick
from streams.intake.batch import MAX_ITEMS, Fault, Malformed, TooMany, check_batch, split_batch
from streams.intake.encoding import Broken, decoded
from streams.intake.mapping import LONGEST
from tests.streams.intake.feeds import AIR, NOON, air

DECODER = Decoder(AIR)
ONE, TWO = air("1"), air("2", station="1233A")
PRETTY = ONE.replace(b",", b",\n  ")


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (ONE, [ONE]),
        (PRETTY, [PRETTY]),
        (b"[" + ONE + b",\n" + PRETTY + b"]", [ONE, PRETTY]),
        (b"[]", []),
        (ONE + b"\r\n\n" + TWO + b"\n", [ONE, TWO]),
        (ONE + b"\noops\n" + TWO, [ONE, b"oops", TWO]),
        (b'[1,"a",{}]', [b"1", b'"a"', b"{}"]),
    ],
)
def test_bodies(body: bytes, items: list[bytes]) -> None:
    assert split_batch(body) == items


@pytest.mark.parametrize("body", [b"", b" \n", b"[", b"[" + ONE, b"[{]", b"[" * 100_000])
def test_bodies_that_are_none(body: bytes) -> None:
    with pytest.raises(Malformed):
        split_batch(body)


CRUMBS = (b"0", b"null", b"true", b'""', b"{}", b"1.5", b'{"a":[0]}')


@pytest.mark.parametrize("crumb", CRUMBS)
def test_more_events_than_a_batch_takes(crumb: bytes) -> None:
    exactly = [crumb] * MAX_ITEMS
    assert split_batch(b"[" + b",".join(exactly) + b"]") == exactly
    assert split_batch(b"\n\r\n ".join(exactly)) == exactly
    for body in (b"[" + b",".join([*exactly, crumb]) + b"]", b"\r".join([*exactly, crumb])):
        with pytest.raises(TooMany, match="more than 10000"):
            split_batch(body)


def test_commas_within_events_do_not_make_them_many() -> None:
    wide = b'{"a":[' + b"0," * MAX_ITEMS + b"0]}"
    assert split_batch(b"[" + wide + b",1]") == [wide, b"1"]
    with pytest.raises(Malformed):
        split_batch(b"[" + wide + b",[]]")


@pytest.mark.parametrize("crumb", [*CRUMBS, b"[]", b"[[]]", b"12345678", b'"abc"'])
def test_crumbs_take_little_memory(crumb: bytes) -> None:
    size = 2 * 1024 * 1024
    body = b"[" + b",".join([crumb] * (size // (len(crumb) + 1))) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises((TooMany, Malformed)):
            split_batch(body)
        assert tracemalloc.get_traced_memory()[1] < 16 * size
    finally:
        tracemalloc.stop()


def test_good_events_become_records_with_their_own_bytes_and_key() -> None:
    assert check_batch(AIR, DECODER, [ONE, TWO], NOON) == ([(b"330100", ONE), (b"1233A", TWO)], [])


def test_what_is_further_ahead_of_now_than_the_skew_is_refused() -> None:
    within, beyond = NOON + AIR.skew, NOON + AIR.skew + timedelta(milliseconds=1)
    _, faults = check_batch(AIR, DECODER, [air("a", within), air("b", beyond)], NOON)
    assert faults == [Fault(1, "b", "time", "future", beyond.isoformat())]
    strict = replace(AIR, skew=timedelta(0))
    assert [fault.rule for fault in check_batch(strict, DECODER, [air("a", within)], NOON)[1]] == ["future"]


def test_every_fault_is_named() -> None:
    items = [
        ONE,
        b"oops",
        air("x", pm25=0),
        air("y", timeline="past"),
        encode_tick(id="t", clock=NOON),
        b'{"id":"' + b"1" * LONGEST + b'"}',
    ]
    records, faults = check_batch(AIR, DECODER, items, NOON)
    assert records == [(b"330100", ONE)]
    assert [(fault.index, fault.id[:3], fault.field, fault.rule) for fault in faults] == [
        (1, "", "event", "json"),
        (2, "x", "pm25", "missing"),
        (3, "y", "timeline", "reserved"),
        (4, "t", "type", "type"),
        (5, "111", "event", "length"),
    ]
    assert faults[1].as_json() == {"index": 2, "id": "x", "field": "pm25", "rule": "missing", "value": "0"}
    assert isinstance(faults[4], Fault)
    assert len(faults[4].id) == 200


def test_an_unknown_field_that_nobody_can_read_is_stored_as_it_came_with_the_key_of_its_subject() -> None:
    for more in (b'"\xff"', b"1e999", b"9" * 5000, b'{"\xff": 1}'):
        raw = TWO.replace(b'"station"', b'"more":' + more + b',"station"')
        assert check_batch(AIR, DECODER, [raw], NOON) == ([(b"1233A", raw)], [])


def test_streams_of_nothing_one_after_another_are_refused_before_they_cost_time() -> None:
    """Each costs a copy of the rest: eight mebibytes of empty ones took more than a minute."""
    with pytest.raises(Broken, match="more than 100 gzip streams"):
        decoded("gzip", gzip.compress(b"") * 400_000, 1 << 20)
    assert decoded("gzip", gzip.compress(b"a") + gzip.compress(b"b"), 10) == b"ab"


def test_a_tick_of_a_replay_with_the_longest_name_is_a_tick() -> None:
    timeline = "回" * 128
    tick = decode_tick(encode_tick(id=f"{timeline}-final-0", clock=NOON, timeline=timeline, final=True))
    assert tick is not None and tick.timeline == timeline and tick.data.final
