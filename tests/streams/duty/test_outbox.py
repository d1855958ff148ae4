"""The outbox keeps every push until it is delivered, the most urgent first, and knows what it has seen."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Unavailable
from schemas.levels import LEVELS
from streams.duty.faults import BrokenFile
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.retry_policy import Dead, Delivered, Retry
from streams.duty.systems.outbox import Outbox, Refused, open_outbox
from tests.streams.duty.full_disk import full_disk
from tests.streams.duty.parts import mixed_pushes, push


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "duty" / "outbox.sqlite")
    yield box
    box.close()


def _due(outbox: Outbox, now: float = 100.0, limit: int = 100) -> list[str]:
    return [push.id for push in outbox.due(now, limit)]


def test_an_id_is_taken_once(outbox: Outbox) -> None:
    assert outbox.add([push(1), push(2), push(1)], 1.0) == 2
    assert outbox.add([push(2), push(3)], 2.0) == 1
    assert outbox.add([], 3.0) == 0
    assert outbox.counts() == {"pending": 3, "delivered": 0, "dead": 0}


def test_a_delivered_id_stays_known(outbox: Outbox) -> None:
    outbox.add([push(1)], 1.0)
    outbox.record_outcomes({"w-1": Delivered()}, 2.0)
    assert outbox.add([push(1)], 3.0) == 0
    assert _due(outbox) == []


@settings(max_examples=25, deadline=None)
@given(levels=st.lists(st.sampled_from(LEVELS), max_size=30), limit=st.integers(0, 30))
def test_red_goes_first_and_the_oldest_of_one_level(levels: list[str], limit: int) -> None:
    with TemporaryDirectory() as folder:
        box = Outbox(Path(folder) / "outbox.sqlite")
        for number, level in enumerate(levels):
            box.add([push(number, level)], float(number))
        expected = sorted(range(len(levels)), key=lambda n: (LEVELS.index(levels[n]), n))
        assert _due(box, limit=limit) == [f"w-{n}" for n in expected][:limit]
        box.close()


def test_pushes_under_way_are_left_out_but_not_counted(outbox: Outbox) -> None:
    outbox.add([push(n) for n in range(5)], 1.0)
    assert [p.id for p in outbox.due(2.0, 2, without={"w-0", "w-2"})] == ["w-1", "w-3"]


def test_a_retry_waits_for_its_time_and_keeps_its_place(outbox: Outbox) -> None:
    outbox.add([push(1), push(2)], 1.0)
    outbox.record_outcomes({"w-1": Retry(50.0, "HTTP 500")}, 2.0)
    assert outbox.next_due() == 1.0
    assert _due(outbox, now=49.9) == ["w-2"]
    assert _due(outbox, now=50.0) == ["w-1", "w-2"]
    assert [p.attempts for p in outbox.due(50.0, 9)] == [1, 0]
    assert outbox.last(1)[0]["id"] == "w-2" and outbox.last(2)[1]["last_error"] == "HTTP 500"


def test_a_dead_push_stays_with_its_reason_until_it_is_revived(outbox: Outbox) -> None:
    outbox.add([push(1)], 1.0)
    outbox.record_outcomes({"w-1": Dead("HTTP 404 no")}, 2.0)
    assert _due(outbox) == [] and outbox.next_due() is None
    assert outbox.counts()["dead"] == 1 and outbox.last(1)[0]["last_error"] == "HTTP 404 no"
    assert outbox.revive(3.0) == 1
    assert _due(outbox) == ["w-1"]


def test_dead_pushes_of_replays_are_revived_like_the_others(outbox: Outbox) -> None:
    replayed = [replace(push(n, level), replay=True) for n, level in enumerate(LEVELS)]
    outbox.add(replayed, 1.0, [Refused("w-9", "no level")])
    outbox.record_outcomes({each.id: Dead("HTTP 404") for each in replayed}, 2.0)
    assert outbox.revive(3.0) == len(LEVELS) and outbox.counts()["dead"] == 1


def test_an_outbox_that_cannot_be_opened_keeps_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    _garbage(path)
    with pytest.raises(BrokenFile):
        Outbox(path)
    held = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not any(str(path) in each for each in held)


def test_delivery_is_recorded(outbox: Outbox) -> None:
    outbox.add([push(1)], 1.0)
    outbox.record_outcomes({"w-1": Retry(1.5, "HTTP 500")}, 1.5)
    outbox.record_outcomes({"w-1": Delivered()}, 2.0)
    row = outbox.last(1)[0]
    assert (row["state"], row["attempts"], row["delivered_at"], row["last_error"]) == (
        "delivered",
        2,
        2.0,
        "",
    )


def test_everything_is_there_after_opening_the_file_again(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.add(mixed_pushes(40), 1.0)
    first.record_outcomes({"w-3": Delivered()}, 2.0)
    expected = _due(first)
    first.close()
    second = Outbox(tmp_path / "outbox.sqlite")
    assert _due(second) == expected and len(expected) == 39
    second.close()


def test_reader_and_courier_may_write_at_the_same_time(outbox: Outbox) -> None:
    def fill(part: int) -> None:
        for number in range(part, 400, 4):
            outbox.add([push(number)], 1.0)

    def settle(part: int) -> None:
        for number in range(part, 400, 4):
            outbox.record_outcomes({f"w-{number}": Delivered()}, 2.0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
        list(pool.map(settle, range(4)))
        list(pool.map(lambda n: outbox.add([push(1000 + n)], 3.0), range(4)))
    assert outbox.counts() == {"pending": 4, "delivered": 400, "dead": 0}


def test_the_file_is_written_through_to_the_disk(outbox: Outbox) -> None:
    with outbox._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_many_may_open_a_new_outbox_at_once(tmp_path: Path) -> None:
    """Each with connections of its own, which is what counts for SQLite's locks."""
    with ThreadPoolExecutor(6) as pool:
        for round in range(20):
            path = tmp_path / str(round) / "outbox.sqlite"
            assert sum(pool.map(_open_and_add, [path] * 6, range(6))) == 6


def _open_and_add(path: Path, number: int) -> int:
    outbox = Outbox(path)
    added = outbox.add([push(number)], 1.0)
    outbox.close()
    return added


def test_what_can_be_no_push_is_dead_from_the_beginning_and_is_not_revived(outbox: Outbox) -> None:
    assert outbox.add([push(1)], 1.0, [Refused("w-2", "no level")]) == 2
    outbox.record_outcomes({"w-1": Dead("HTTP 404")}, 2.0)
    assert outbox.counts() == {"pending": 0, "delivered": 0, "dead": 2}
    assert outbox.revive(3.0) == 1
    assert _due(outbox) == ["w-1"]
    assert outbox.missing({"w-1", "w-2", "w-3"}) == {"w-3"}


def test_how_far_was_read_is_written_with_the_pushes_or_not_at_all(outbox: Outbox) -> None:
    assert outbox.reached() == {} and outbox.empty()
    outbox.add([push(1)], 1.0, reached=ReadPosition("log", {0: 5}))
    with full_disk(outbox._engine) as room, pytest.raises(Unavailable, match="disk is full"):
        outbox.add([push(n) for n in range(2, 500)], 1.0, reached=ReadPosition("log", {0: 500}))
    assert outbox.reached() == {"log": ReadPosition("log", {0: 5})} and _due(outbox) == ["w-1"]
    room()
    outbox.add([], 1.0, reached=ReadPosition("log", {0: 6, 1: 1}))
    assert outbox.reached() == {"log": ReadPosition("log", {0: 6, 1: 1})}


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * 4096 * 5
    path.write_bytes(content)


@pytest.mark.parametrize("broken", [_garbage, _truncated, _overwritten])
def test_a_broken_file_is_put_beside_and_said_and_a_new_one_made(
    tmp_path: Path, broken: Callable[[Path], None]
) -> None:
    path, said = tmp_path / "outbox.sqlite", list[str]()
    box = Outbox(path)
    box.add([push(n) for n in range(1000)], 1.0)
    box.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    broken(path)
    content = path.read_bytes()
    made = open_outbox(path, lambda: 1_800_000_000.0, said.append)
    assert made.counts()["pending"] == 0 and made.add([push(1)], 2.0) == 1
    made.close()
    (line,) = said
    assert "it was moved to outbox.sqlite.broken-20270115T080000Z" in line and "\n" not in line
    assert (tmp_path / "outbox.sqlite.broken-20270115T080000Z").read_bytes() == content


def test_a_whole_file_is_opened_as_it_is_and_nothing_is_said(tmp_path: Path) -> None:
    path, said = tmp_path / "outbox.sqlite", list[str]()
    for expected in (0, 1):
        box = open_outbox(path, lambda: 0.0, said.append)
        assert box.counts()["pending"] == expected
        box.add([push(1)], 1.0)
        box.close()
    assert said == []


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_removed_or_replaced_is_gone(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "outbox.sqlite"
    with closing(Outbox(path)) as box:
        assert not box.gone
        path.unlink()
        if replaced:
            Outbox(path).close()
        assert box.gone
