"""A service that does well by its probe is not well while it says itself what it waits for, or has set aside."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from supervisor.states import ProcessStates

from deploy.local.control import Process
from deploy.local.probe import Finding, Health
from deploy.local.progress import GRACE_SECONDS, LONGEST_GRACE, Noted, read, write
from deploy.local.services import SERVICES
from deploy.local.status import _state, all_well
from schemas.settings import Settings
from streams.aside import Aside
from streams.waits import TOLD_AFTER, Waits

LAND = next(each for each in SERVICES if each.name == "land")


def land(code: int, uptime: float = GRACE_SECONDS + 1) -> Process:
    """Its process, as supervisord sees it."""
    return Process("land", code, 1, 1_000_000.0, 0.0, 1_000_000.0 + uptime, "")


def told(
    home: Path,
    health: Health = Health.ok,
    code: int = ProcessStates.RUNNING,
    uptime: float = GRACE_SECONDS + 1,
) -> tuple[str, str]:
    """The health and detail of `land`."""
    state = _state(LAND, Settings(home=home), land(code, uptime), Finding(health, "as probed"), None)
    return state.health, state.detail


def held(home: Path, ago: float, why: str = "landing.air_quality is gone") -> None:
    Waits(home, "land", lambda: time.time() - ago).of("landing")(why)


def test_a_wait_of_a_minute_is_unwell_with_its_reason(tmp_path: Path) -> None:
    held(tmp_path, TOLD_AFTER + 1)
    health, detail = told(tmp_path)
    assert health == "unwell" and detail.startswith("landing waits since 2") and "is gone" in detail


@pytest.mark.parametrize(("ago", "why"), [(TOLD_AFTER - 5, "away"), (TOLD_AFTER * 10, "")])
def test_a_short_wait_and_one_that_is_over_are_well(tmp_path: Path, ago: float, why: str) -> None:
    held(tmp_path, ago, why)
    assert told(tmp_path) == ("ok", "as probed")


def test_what_is_hung_is_told_as_hung_and_what_does_not_run_waits_for_nothing(tmp_path: Path) -> None:
    held(tmp_path, TOLD_AFTER * 2)
    assert told(tmp_path, Health.hung) == ("hung", "as probed")
    assert told(tmp_path, code=ProcessStates.STOPPED)[0] == "ok"


def test_both_a_wait_and_what_was_set_aside_are_told(tmp_path: Path) -> None:
    held(tmp_path, TOLD_AFTER * 2)
    Aside(tmp_path, "land", time.time).add("a row", "too wide")
    _, detail = told(tmp_path)
    assert "landing waits" in detail and "a row: too wide" in detail


def test_all_is_not_well_while_one_waits(tmp_path: Path) -> None:
    def well() -> bool:
        running = land(ProcessStates.RUNNING)
        return all_well([_state(LAND, Settings(home=tmp_path), running, Finding(Health.ok), None)])

    assert well()
    held(tmp_path, TOLD_AFTER * 2)
    assert not well()


STARTING = ("starting", "since 1970-01-12T13:46:40+00:00: as probed")


@pytest.mark.parametrize(
    ("noted", "uptime", "said"),
    [
        (Noted(), GRACE_SECONDS - 1, STARTING),
        (Noted(), GRACE_SECONDS + 1, ("hung", "as probed")),
        (Noted(starting={"land": 1_000_000.0}), GRACE_SECONDS + 1, STARTING),
        (Noted(starting={"land": 999_000.0}), GRACE_SECONDS + 1, ("hung", "as probed")),
        (Noted(starting={"land": 1_000_000.0}), LONGEST_GRACE + 1, ("hung", "as probed")),
        (Noted(well={"land": 1_000_000.0}), 5, ("hung", "as probed")),
        (Noted(well={"land": 999_000.0}), 5, STARTING),
    ],
    ids=[
        "young",
        "old",
        "seen at work",
        "an earlier one",
        "for too long",
        "well before",
        "an earlier one well",
    ],
)
def test_what_does_not_answer_yet_and_makes_progress_is_starting_since_when(
    tmp_path: Path, noted: Noted, uptime: float, said: tuple[str, str]
) -> None:
    write(tmp_path, noted)
    assert told(tmp_path, Health.hung, uptime=uptime) == said
    assert not all_well(
        [
            _state(
                LAND, Settings(home=tmp_path), land(ProcessStates.RUNNING, uptime), Finding(Health.hung), None
            )
        ]
    )


def test_a_worker_without_a_heartbeat_yet_is_starting_and_an_unreadable_note_says_nothing(
    tmp_path: Path,
) -> None:
    write(tmp_path, Noted())
    (tmp_path / "run" / "health.json").write_text("{")
    assert read(tmp_path) == Noted()
    assert told(tmp_path, Health.starting) == STARTING
    assert told(tmp_path, Health.hung) == ("hung", "as probed")
