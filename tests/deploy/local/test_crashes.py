"""A service that ends again and again is told from one that was restarted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from deploy.local.crashes import MANY, crash_loops, restarts
from deploy.local.ends import Ends, ends_path
from deploy.local.progress import Noted, write
from schemas.atomic_write import write_atomically

NOW = 1_772_337_600.0


def ended(home: Path, since: float, **ago: tuple[float, ...]) -> Path:
    """What the supervisor, up since so many seconds ago, wrote down: which service ended so many seconds ago."""
    times = {name: tuple(NOW - each for each in found) for name, found in ago.items()}
    write_atomically(ends_path(home), msgspec.json.encode(Ends(NOW - since, times)))
    return home


def test_ends_within_the_window_are_counted_by_service(tmp_path: Path) -> None:
    ended(tmp_path, 1000, watch=(900, 500, 400, 300, 20), land=(50,))
    assert crash_loops(tmp_path, NOW) == {"watch": 4}
    assert crash_loops(tmp_path, NOW, window=350) == {}


@pytest.mark.parametrize(("times", "loop"), [(MANY - 1, False), (MANY, True)])
def test_a_loop_is_more_than_a_kill_or_two(tmp_path: Path, times: int, loop: bool) -> None:
    ended(tmp_path, 1000, duty=tuple(range(times)))
    assert ("duty" in crash_loops(tmp_path, NOW)) == loop


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"since": "yesterday"}', None])
def test_where_nothing_can_be_read_nothing_has_crashed(tmp_path: Path, torn: bytes | None) -> None:
    if torn is not None:
        write_atomically(ends_path(tmp_path), torn)
    assert crash_loops(tmp_path, NOW) == restarts(tmp_path, NOW) == {}


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
    tmp_path: Path, ends: tuple[float, ...], restarted: tuple[float, ...], loop: tuple[int, float] | None
) -> None:
    ended(tmp_path, 9500, watch=ends)
    write(tmp_path, Noted(restarted={"watch": tuple(NOW - each for each in restarted)}))
    assert restarts(tmp_path, NOW) == ({} if loop is None else {"watch": loop})


def test_what_was_restarted_before_the_supervisor_of_now_is_over(tmp_path: Path) -> None:
    ended(tmp_path, 200, watch=(90,))
    write(tmp_path, Noted(restarted={"watch": (NOW - 450, NOW - 350, NOW - 80)}))
    assert restarts(tmp_path, NOW) == {}
    write(tmp_path, Noted(restarted={"watch": (NOW - 450, NOW - 80, NOW - 20)}))
    assert restarts(tmp_path, NOW) == {"watch": (3, 600.0)}
