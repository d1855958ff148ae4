"""`liaowang duty` shows the log of pushes, revives dead ones and says what is wrong in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.groups import duty as app
from deploy.ports import free_port
from streams.duty.retry_policy import Dead, Delivered, Outcome, Retry
from streams.duty.systems.outbox import Outbox
from tests.streams.duty.parts import mixed_pushes


def run(home: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    environment = {
        f"LIAOWANG_{name.upper()}": value for name, value in {"home": str(home), **settings}.items()
    }
    result = CliRunner().invoke(app, list(arguments), env=environment)
    return result.exit_code, result.output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with five pushes: one delivered, one dead, three pending."""
    outbox = Outbox(tmp_path / "duty" / "outbox.sqlite")
    outbox.add(mixed_pushes(5), 1_772_352_000.0)
    outcomes: dict[str, Outcome] = {
        "w-0": Delivered(),
        "w-1": Dead("HTTP 404 no"),
        "w-2": Retry(1_772_352_100.0, "HTTP 500"),
    }
    outbox.record_outcomes(outcomes, 1_772_352_001.0)
    outbox.close()
    return tmp_path


def test_the_log_as_json_has_counts_and_the_newest(home: Path) -> None:
    code, output = run(home, "pushes", "--json", "--last", "4")
    log = json.loads(output)
    assert code == 0 and log["counts"] == {"pending": 3, "delivered": 1, "dead": 1}
    assert [row["id"] for row in log["last"]] == ["w-4", "w-3", "w-2", "w-1"]
    assert log["last"][3]["last_error"] == "HTTP 404 no" and log["last"][3]["push"]["title"] == "number 1"


def test_the_log_as_a_table_names_states_and_errors(home: Path) -> None:
    code, output = run(home, "pushes")
    assert code == 0
    assert "pending 3" in output and "delivered 1" in output and "dead 1" in output


def test_nothing_pushed_yet_is_no_error_and_leaves_no_file(tmp_path: Path) -> None:
    code, output = run(tmp_path, "pushes", "--json")
    assert code == 0 and json.loads(output)["last"] == []
    assert run(tmp_path, "revive") == (0, "0 dead pushes are pending again\n")
    assert list(tmp_path.iterdir()) == []


def test_revive_makes_dead_pushes_pending(home: Path) -> None:
    assert run(home, "revive") == (0, "1 dead pushes are pending again\n")
    assert json.loads(run(home, "pushes", "--json")[1])["counts"] == {"pending": 4, "delivered": 1, "dead": 0}


def test_a_receiver_without_a_key_says_so(tmp_path: Path) -> None:
    code, output = run(tmp_path, "receiver", receiver_port=str(free_port()))
    assert code == 1 and "WEBHOOK_KEY" in output and "Traceback" not in output
