"""A service that ends again and again is told from one that was restarted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from deploy.local.crashes import MANY, crash_loops, restarts, why

NOW = datetime(2026, 3, 1, 12, 0, 0).astimezone()


def log(path: Path, *lines: tuple[int, str]) -> Path:
    """The supervisor's log: what it said so many seconds ago."""
    times = [(datetime.fromtimestamp(NOW.timestamp() - ago), text) for ago, text in lines]  # noqa: DTZ006
    path.write_text("".join(f"{at:%Y-%m-%d %H:%M:%S},123 {text}\n" for at, text in times))
    return path


def test_ends_within_the_window_are_counted_by_service(tmp_path: Path) -> None:
    ends = [(ago, "WARN exited: watch (exit status 1; not expected)") for ago in (900, 500, 400, 300, 20)]
    other = [
        (50, "WARN exited: land (terminated by SIGKILL; not expected)"),
        (40, "INFO spawned: 'watch' with pid 7"),
    ]
    found = crash_loops(log(tmp_path / "s.log", *ends, *other), NOW.timestamp())
    assert found == {"watch": 4}


@pytest.mark.parametrize(("times", "loop"), [(MANY - 1, False), (MANY, True)])
def test_a_loop_is_more_than_a_kill_or_two(tmp_path: Path, times: int, loop: bool) -> None:
    ends = [(ago, "WARN exited: duty (exit status 1; not expected)") for ago in range(times)]
    assert ("duty" in crash_loops(log(tmp_path / "s.log", *ends), NOW.timestamp())) == loop


def test_a_stop_is_no_crash(tmp_path: Path) -> None:
    stops = [(ago, "INFO stopped: duty (terminated by SIGTERM)") for ago in range(9)]
    assert crash_loops(log(tmp_path / "s.log", *stops), NOW.timestamp()) == {}


def test_no_log_no_crashes(tmp_path: Path) -> None:
    assert crash_loops(tmp_path / "s.log", NOW.timestamp()) == {}
    assert why(tmp_path / "watch.log") == ""


def test_the_reason_is_the_last_error_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "watch.log"
    path.write_text(
        "INFO liaowang.watch: watching\nCRITICAL liaowang.watch: watching stops: KeyError('x')\nINFO bye\n\n"
    )
    assert why(path) == "CRITICAL liaowang.watch: watching stops: KeyError('x')"
    path.write_text(
        "WARNING liaowang.duty: broker is away: KafkaError('x')\nworker: duty: the database is malformed\nbye\n"
    )
    assert why(path) == "the database is malformed"
    path.write_text("the duty database is malformed\n")
    assert why(path) == "the duty database is malformed"


ENDED, RESTARTED = (
    "WARN exited: watch (exit status 1; not expected)",
    "WARNING liaowang.health: watch does not come to itself (no heartbeat for 61 s): it is restarted",
)
UP = "INFO supervisord started with pid 7"


@pytest.mark.parametrize(
    ("ends", "restarted", "loop"),
    [
        pytest.param((500, 300, 20), (), (3, 600.0), id="three in ten minutes"),
        pytest.param((2700, 1800, 900, 10), (), (4, 3600.0), id="every quarter of an hour"),
        pytest.param((2700, 1800, 900), (), None, id="three in an hour"),
        pytest.param((9000, 8000, 7000, 6000, 10), (), None, id="long ago"),
        pytest.param((), (500, 300, 20), (3, 600.0), id="restarted as hung"),
        pytest.param((500,), (300, 20), (3, 600.0), id="of both kinds"),
    ],
)
def test_slow_loops_and_restarts_by_the_health_program_count(
    tmp_path: Path, ends: tuple[int, ...], restarted: tuple[int, ...], loop: tuple[int, float] | None
) -> None:
    log(tmp_path / "supervisor.log", (9500, UP), *((ago, ENDED) for ago in ends))
    log(tmp_path / "health.log", *((ago, RESTARTED) for ago in restarted))
    assert restarts(tmp_path, NOW.timestamp()) == ({} if loop is None else {"watch": loop})


def test_what_was_before_the_last_start_is_over(tmp_path: Path) -> None:
    log(
        tmp_path / "supervisor.log",
        (590, UP),
        *((ago, ENDED) for ago in (500, 400, 300)),
        (200, UP),
        (90, ENDED),
    )
    log(tmp_path / "health.log", (450, RESTARTED), (350, RESTARTED), (80, RESTARTED))
    assert restarts(tmp_path, NOW.timestamp()) == {}
    log(tmp_path / "health.log", (450, RESTARTED), (80, RESTARTED), (20, RESTARTED))
    assert restarts(tmp_path, NOW.timestamp()) == {"watch": (3, 600.0)}
    assert restarts(tmp_path / "nowhere", NOW.timestamp()) == {}
