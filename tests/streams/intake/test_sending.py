"""Sending files through the real broker: order, ticks, once only, cut short and away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kafka.partitioner import DefaultPartitioner

from schemas.errors import Misdeclared, Unavailable
from schemas.event import decode_tick
from streams.intake.bulk import BulkProducer, partition_of
from streams.intake.lines import decode_object
from streams.intake.replay import AHEAD_SECONDS
from streams.intake.replays import look_up_replays
from streams.intake.retry_policy import Clock
from streams.intake.sending import Outcome, Request, carry_out
from tests.streams.intake.broker import Notes, read, retry
from tests.streams.intake.feeds import AIR, NOON, air, on_topic

pytestmark = pytest.mark.stack
HOUR = timedelta(hours=1)


def hourly(path: Path, hours: int, stations: int = 7) -> Path:
    """One event an hour and station, station by station, as departments sort their files."""
    rows = [air(f"{s}-{h}", NOON + h * HOUR, f"s{s}") for s in range(stations) for h in range(hours)]
    path.write_bytes(b"\n".join(rows) + b"\nbroken\n")
    return path


def request(topic: str, *paths: Path, **more: object) -> Request:
    asked = Request(on_topic(AIR, topic), paths, now=NOON + timedelta(days=100), timeline=topic)
    return replace(asked, **more)  # type: ignore[arg-type]


def run(kafka: str, asked: Request, notes: Notes | None = None) -> list[Outcome]:
    return asyncio.run(carry_out(asked, kafka, retry(), notes or Notes()))


def times(records: list[tuple[bytes | None, bytes]]) -> list[datetime]:
    """Clock or event time of each record that tells one."""
    found = []
    for _, raw in records:
        tick = decode_tick(raw)
        document = decode_object(raw)
        if tick or document:
            found.append(tick.data.clock if tick else datetime.fromisoformat((document or {})["time"]))
    return found


def test_a_file_is_sent_in_order_of_time_with_ticks_in_every_partition(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    notes = Notes()
    (outcome,) = run(kafka, request(topic, hourly(tmp_path / "a.jsonl", 50)), notes)
    found = read(kafka, topic)
    tally = outcome.tally
    assert (tally.rows.total(), tally.events, tally.unreadable) == (351, 351, 0)
    assert (notes.begun, notes.sent) == ([(f"{topic}: reading", None), (topic, 351)], 2 * 351)
    assert tally.ticks == sum(decode_tick(raw) is not None for part in found.values() for _, raw in part)
    for partition, records in found.items():
        assert times(records) == sorted(times(records))
        for key, raw in records:
            tick = decode_tick(raw)
            assert tick is not None or partition_of(key, raw, 3) == partition
        last = decode_tick(records[-1][1])
        assert last is not None
        assert last.data.final
        assert last.data.clock == NOON + 49 * HOUR + timedelta(hours=2) == tally.horizon


def test_a_file_is_sent_once_unless_asked_again(kafka: str, topic: str, tmp_path: Path) -> None:
    path = hourly(tmp_path / "a.jsonl", 3)
    run(kafka, request(topic, path))
    before = read(kafka, topic)
    notes = Notes()
    assert run(kafka, request(topic, path), notes) == []
    assert notes.said == ["a.jsonl: already sent on 2026-06-09 12:00, nothing sent (--again sends it anew)"]
    assert read(kafka, topic) == before
    assert len(run(kafka, request(topic, path, again=True), notes)) == 1
    assert "was played up to" in notes.said[-1]
    assert {at: len(part) for at, part in read(kafka, topic).items()} == {
        at: 2 * len(part) for at, part in before.items()
    }


def test_files_of_one_timeline_are_one_replay(kafka: str, topic: str, tmp_path: Path) -> None:
    paths = [tmp_path / "late.jsonl", tmp_path / "early.jsonl"]
    paths[0].write_bytes(air("2", NOON + HOUR))
    paths[1].write_bytes(air("1", NOON))
    (outcome,) = run(kafka, request(topic, *paths))
    assert outcome.tally.rows == {"late.jsonl": 1, "early.jsonl": 1}
    (records,) = [part for part in read(kafka, topic).values() if len(part) > 1]
    assert times(records) == [NOON, NOON + HOUR, NOON + 3 * HOUR]


def test_the_order_of_the_file_can_be_kept(kafka: str, topic: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(air(str(h), NOON + h * HOUR) for h in (5, 1, 3)))
    notes = Notes()
    run(kafka, request(topic, path, in_file_order=True), notes)
    sent = [decode_object(raw) for part in read(kafka, topic).values() for _, raw in part]
    assert [one["id"] for one in sent if one and one["type"] == AIR.event_type] == ["5", "1", "3"]
    assert notes.begun == [(topic, None)]


def test_a_sending_cut_short_and_done_again_has_the_same_ids(kafka: str, topic: str, tmp_path: Path) -> None:
    path = hourly(tmp_path / "a.jsonl", 3000, stations=2)

    class Pulled(Exception):
        """The plug."""

    class Plug(Notes):
        def _count(self, sent: int) -> None:
            super()._count(sent)
            if self.sent > 6000 + 4000:
                raise Pulled

    with pytest.raises(Pulled):
        run(kafka, request(topic, path), Plug())
    half = read(kafka, topic)
    assert sum(map(len, half.values())) > 0
    run(kafka, request(topic, path))
    both = read(kafka, topic)
    for partition, records in half.items():
        rest = both[partition][len(records) :]
        assert records == rest[: len(records)], "the second sending begins with what the first had sent"


def test_unknown_topics_and_absent_brokers_are_told(kafka: str, topic: str, tmp_path: Path) -> None:
    path = hourly(tmp_path / "a.jsonl", 1)
    with pytest.raises(Misdeclared):
        run(kafka, request(topic, path, paths=(tmp_path / "none.csv",)))
    said: list[str] = []
    nobody = "127.0.0.1:1"
    with pytest.raises(Unavailable, match="no answer for"):
        asyncio.run(carry_out(request(topic, path), nobody, retry(2, said.append), Notes()))
    assert said == [
        f"looking for topic replays: the broker cannot be reached; trying again in {s} s" for s in (0.5, 1.0)
    ]


def test_speed_sleeps_for_the_time_between_events(kafka: str, topic: str, tmp_path: Path) -> None:
    slept: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    hurried = replace(retry(), clock=Clock(lambda: now, sleep))
    path = hourly(tmp_path / "a.jsonl", 5, stations=2)
    asyncio.run(carry_out(request(topic, path, speed=3600.0), kafka, hurried, Notes()))
    assert slept == [1.0] * 4
    assert min(slept) > AHEAD_SECONDS


def test_a_timeline_begins_before_its_first_event_and_says_whether_it_is_live(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    path, notes = hourly(tmp_path / "a.jsonl", 3), Notes()
    assert asyncio.run(look_up_replays(kafka)).live(topic) is None
    run(kafka, request(topic, path, live=True), notes)
    assert asyncio.run(look_up_replays(kafka)).live(topic) is True
    assert any("is live" in each for each in notes.said)
    more = hourly(tmp_path / "b.jsonl", 4)
    run(kafka, request(topic, more))
    assert asyncio.run(look_up_replays(kafka)).live(topic) is True, "a timeline stays what it began as"


def test_what_was_played_before_cannot_become_live(kafka: str, topic: str, tmp_path: Path) -> None:
    path = hourly(tmp_path / "a.jsonl", 3)
    run(kafka, request(topic, path))
    assert asyncio.run(look_up_replays(kafka)).live(topic) is False
    before = read(kafka, topic)
    with pytest.raises(Misdeclared, match=r"send: --live: timeline .* was played before.*--timeline"):
        run(kafka, request(topic, path, live=True, again=True))
    assert read(kafka, topic) == before, "and nothing of it is sent"


def test_the_log_of_replays_that_cannot_be_read_is_said() -> None:
    with pytest.raises(Unavailable, match="replays at"):
        asyncio.run(look_up_replays("127.0.0.1:1"))


def test_the_partitioner_is_kafkas_own() -> None:
    class Cluster:
        """Three partitions, as a client's metadata has them."""

        def topics(self) -> set[str]:
            return {"t"}

        def partitions_for_topic(self, topic: str) -> set[int]:
            return {0, 1, 2}

        def available_partitions_for_topic(self, topic: str) -> set[int]:
            return {0, 1, 2}

    for key in (b"", b"330100", "杭州|2016".encode(), b"x" * 999):
        theirs = DefaultPartitioner().partition("t", key, key, None, None, Cluster())
        assert partition_of(key, b"", 3) == theirs
    assert partition_of(None, b"broken", 3) == partition_of(None, b"broken", 3)


def test_records_larger_than_a_batch_pass(kafka: str, topic: str) -> None:
    async def fill() -> None:
        async with BulkProducer(kafka, topic, retry()) as producer:
            for size in (10, 900_000, 200_000, 200_000, 10):
                await producer.put(None, b"x" * size, 1)
            await producer.flush()

    asyncio.run(fill())
    assert [len(raw) for _, raw in read(kafka, topic)[1]] == [10, 900_000, 200_000, 200_000, 10]
