"""What a program waits for is told after a minute, with its reason, until it goes on."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from streams.waits import SIZE, TOLD_AFTER, Wait, Waits, read, told


class Clock:
    """A clock that is put forward by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_wait_counts_from_its_first_reason_and_tells_the_last(tmp_path: Path) -> None:
    clock = Clock()
    held = Waits(tmp_path, "land", clock).of("landing")
    held("table x is gone")
    clock.now += 40
    held("table\ny is gone\x00")
    assert read(tmp_path, "land") == {"landing": Wait(1000.0, "table y is gone\N{REPLACEMENT CHARACTER}")}
    assert told(read(tmp_path, "land"), clock.now) == "", "a short one is nothing to tell"
    assert told(read(tmp_path, "land"), 1000.0 + TOLD_AFTER) == (
        "landing waits since 1970-01-01T00:16:40+00:00: table y is gone\N{REPLACEMENT CHARACTER}"
    )


def test_who_goes_on_waits_no_more_and_begins_to_count_anew(tmp_path: Path) -> None:
    clock = Clock()
    held = Waits(tmp_path, "land", clock).of("landing")
    held("away")
    held("")
    assert read(tmp_path, "land") == {}
    clock.now += 500
    held("away")
    assert read(tmp_path, "land")["landing"].since == 1500.0


def test_one_loop_going_on_does_not_end_the_wait_of_another(tmp_path: Path) -> None:
    waits = Waits(tmp_path, "push", Clock())
    waits.of("courier")("the outbox is full")
    waits.of("reader")("no such topic")
    waits.of("reader")("")
    waits.of("notifier")("")
    assert list(read(tmp_path, "push")) == ["courier"]


def test_the_longest_wait_is_told_first() -> None:
    waits = {"a": Wait(50.0, "one"), "b": Wait(10.0, "other"), "c": Wait(999.0, "short")}
    assert told(waits, 1000.0).index("b waits") < told(waits, 1000.0).index("a waits")
    assert "c waits" not in told(waits, 1000.0)


def test_a_program_that_starts_waits_for_nothing(tmp_path: Path) -> None:
    Waits(tmp_path, "duty", Clock()).of("reader")("away")
    Waits(tmp_path, "duty", Clock())
    assert read(tmp_path, "duty") == {}


def test_nothing_is_known_of_who_never_said_or_said_it_badly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(tmp_path, "watch") == {}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "watch.waits").write_text("[")
    assert read(tmp_path, "watch") == {} and "cannot be read" in caplog.text


def test_a_disk_without_room_takes_what_is_waited_for(tmp_path: Path) -> None:
    """The file has its size from the start: nothing that grows may be written here, and this is."""
    waits = Waits(tmp_path, "push", Clock())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, before[1]))
    try:
        for loop in ("reader", "courier", "notifier"):
            waits.of(loop)("database or disk is full " * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(read(tmp_path, "push")) == 3
    assert (tmp_path / "run" / "push.waits").stat().st_size == SIZE


def test_where_it_cannot_be_written_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run" / "land.waits").mkdir(parents=True)
    Waits(tmp_path, "land", Clock()).of("landing")("away")
    assert "land.waits cannot be written" in caplog.text
