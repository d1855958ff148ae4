"""Moments count the same wherever they are counted, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_event
from schemas.fields import EPOCH, milliseconds
from streams.land.classification import Feed, Position, check
from streams.watch.engine.partition import Partition
from streams.watch.trial.offline import OfflineRecord
from tests.streams.watch.trying import rule

AIR = load_contracts()["ecology.air-quality"]
SHORT = datetime(2026, 3, 1, 0, 0, 0, 1_000, tzinfo=UTC)
moments = st.integers(-(10**15), 10**15).map(
    lambda microseconds: EPOCH + timedelta(microseconds=microseconds)
)


@given(moments, st.integers(-14, 14))
@example(SHORT, 8)
def test_a_moment_is_rounded_down_whatever_its_zone(at: datetime, hours: int) -> None:
    found = milliseconds(at.astimezone(timezone(timedelta(hours=hours))))
    assert timedelta() <= at - EPOCH - timedelta(milliseconds=found) < timedelta(milliseconds=1)


@given(st.integers(0, 10**10))
@example(1)
@example(1_009)
def test_landing_and_watch_give_an_event_the_same_time(off: int) -> None:
    """As floats of seconds, some were a millisecond apart."""
    at = SHORT + timedelta(milliseconds=off)
    data = {"station": "S1", "region": "330106", "averaging": "1h", "pm25": 300.0}
    raw = encode_event(id="a", source="/t", type=AIR.event_type, time=at, data=data)
    entry = OfflineRecord(0, milliseconds(at) + 1, raw)
    decode = Decoder(AIR).decode
    _, batch = check(Feed(decode, 0, AIR.skew_ms), Position(0), [entry])
    high = rule({"kind": "threshold", "field": "pm25"}, {"blue": 115})
    part = Partition(AIR, decode, [high], AIR.topic, 0)
    part.observe([entry], lambda each: None)
    assert batch is not None and batch.accepted[0].time == part.lanes[""].watermark == milliseconds(at)
