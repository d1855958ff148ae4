"""What workers share: a log that can be read while a peer is away."""

from __future__ import annotations

import logging

from streams.worker import Calm


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
