"""The API keeps what its OpenAPI document promises, whatever is sent to it: schemathesis with all its checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.duty.database.database import Database
from tests.streams.duty.api import Api

ST = Path(sys.executable).parent / "st"
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the schema says does not depend on the database."""
    return sqlite_url


def run(api: Api, work: Path, *options: str) -> str:
    """What schemathesis says; it must find nothing."""
    api.warn(*(f"e{n}" for n in range(3)))
    api.officer("root", "admin", "330000")
    done = subprocess.run(
        [
            *(str(ST), "--config-file", str(CONFIG), "run", f"{api.url}/api/v1/openapi.json"),
            *("-H", f"Authorization: Bearer {api.token('root')}", "--seed", "1", "--no-color"),
            *("--suppress-health-check", "all", *options),
        ],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_whatever_is_sent_the_answer_is_one_that_was_promised(database: Database, tmp_path: Path) -> None:
    with Api(database, tmp_path / "home").running() as api:
        said = run(api, tmp_path, "--phases", "fuzzing", "--max-examples", "3")
    assert "Failures:" not in said and "Skipped:" not in said


@pytest.mark.journey
def test_every_corner_of_every_operation(database: Database, tmp_path: Path) -> None:
    with Api(database, tmp_path / "home").running() as api:
        said = run(api, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "20")
    assert "Failures:" not in said and "Skipped:" not in said
