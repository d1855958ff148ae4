"""What workers share: a log that can be read while a peer is away."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, suppress

from streams.worker import STUCK_SECONDS, Calm, Work


def entry(name: str, message: str, at: float, *args: object) -> logging.LogRecord:
    """A log entry made at some second."""
    record = logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)
    record.created = at
    return record


def test_a_library_says_each_thing_once_in_a_while() -> None:
    calm = Calm(seconds=30)
    said = [
        calm.filter(entry("aiokafka", "no node %s", at, at)) for at in (100.0, 100.1, 129.9, 130.0, 131.0)
    ]
    assert said == [True, False, False, True, False]
    assert calm.filter(entry("aiokafka", "something else", 131.0))
    assert calm.filter(entry("aiokafka.consumer", "no node %s", 131.0, 1))


def test_our_own_entries_always_pass() -> None:
    calm = Calm()
    assert [calm.filter(entry("liaowang.land", "rows", 1.0)) for _ in range(3)] == [True] * 3


class Clock:
    """A clock that is put forward by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_work_moves_while_something_is_finished_or_nothing_is_open() -> None:
    work = Work(Clock())
    assert work.moving()
    with work.one():
        assert not work.moving(), "one is open, and none was finished"
        with work.one():
            pass
        assert work.moving() and not work.moving()
    assert work.moving() and work.moving()


def test_one_stuck_piece_is_no_progress_whatever_the_others_do() -> None:
    clock = Clock()
    work = Work(clock)
    with ExitStack() as stuck:
        stuck.enter_context(work.one())
        clock.now = STUCK_SECONDS
        with work.one():
            pass
        assert work.moving() and not work.stuck(), "slow is not stuck"
        clock.now += 1
        for _ in range(3):
            with work.one():
                pass
            assert not work.moving() and work.stuck()
    assert work.moving() and not work.stuck()


def test_the_oldest_open_piece_counts_in_whatever_order_they_end() -> None:
    clock = Clock()
    work = Work(clock)
    first, second = ExitStack(), ExitStack()
    first.enter_context(work.one())
    clock.now = 100.0
    second.enter_context(work.one())
    clock.now = 150.0
    assert work.stuck()
    first.close()
    assert not work.stuck(), "the second is 50 s old"
    second.close()


def test_cancelled_work_is_done_with() -> None:
    work = Work(Clock())
    with suppress(asyncio.CancelledError), work.one():
        raise asyncio.CancelledError
    assert work.moving() and work.moving()
