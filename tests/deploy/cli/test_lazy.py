"""Commands are imported when asked for: each is there, and none waits for what another needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import COMMANDS, app

HEAVY = (
    "alembic",
    "chdb",
    "clickhouse_driver",
    "dagster",
    "faust",
    "kafka",
    "numpy",
    "pandas",
    "pyarrow",
    "sqlalchemy",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} " in result.output


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in COMMANDS if f" {name} " not in shown] == []


def test_functions_are_added_to_an_app_once() -> None:
    for _ in range(2):
        group = typer.main.get_command(app).get_command(None, "rules")  # type: ignore[attr-defined]
        assert list(group.commands).count("publish") == 1
        assert "lint" in group.commands


def test_a_wrong_name_is_told_the_nearest() -> None:
    result = CliRunner().invoke(app, ["detekt"])
    assert result.exit_code == 2
    assert "Did you mean 'detect'?" in result.output


def test_a_light_command_starts_without_the_libraries_of_others() -> None:
    code = f"""
import sys
from deploy.cli import main
sys.argv = ["liaowang", "detect", "list", "--json"]
try:
    main()
finally:
    found = [each for each in {HEAVY} if each in sys.modules]
    assert not found, found
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith('{"method": "ears-c1"')
