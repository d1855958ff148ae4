"""Commands are imported when asked for: each is there, and none waits for what another needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import COMMANDS, app
from deploy.cli.groups import DUTY, RULES

HEAVY = (
    "aiohttp",
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
    "sqlglot",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} " in result.output


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in COMMANDS if f" {name} " not in shown] == []


@pytest.mark.parametrize(("of", "table"), [("rules", RULES), ("duty", DUTY)])
def test_a_group_has_its_commands_and_each_says_what_it_does(of: str, table: dict[str, str]) -> None:
    shown = CliRunner().invoke(app, [of, "--help"]).output
    assert [name for name in table if f" {name} " not in shown] == []
    for name in table:
        result = CliRunner().invoke(app, [of, name, "--help"])
        assert result.exit_code == 0 and f"{of} {name} " in result.output, result.output
    without = CliRunner().invoke(app, [of])
    assert without.exit_code == 2 and "Usage" in without.output


def test_a_wrong_name_is_told_the_nearest() -> None:
    result = CliRunner().invoke(app, ["detekt"])
    assert result.exit_code == 2
    assert "Did you mean 'detect'?" in result.output


SQLALCHEMY = {"sqlalchemy"}
NOTHING: set[str] = set()


@pytest.mark.parametrize(
    ("command", "needs", "said"),
    [
        (("detect", "list", "--json"), NOTHING, '{"method": "ears-c1"'),
        (("rules", "lint", "ecology.pm25-high"), NOTHING, "1 rules are declared well"),
        (("contracts", "test", "ecology.air-quality"), NOTHING, "1 contracts do what their 15 examples say"),
        (("status", "--json"), NOTHING, '"well": false'),
        (("duty", "who", "--role", "duty-desk", "--region", "330106"), SQLALCHEMY, "(duty-province, "),
    ],
)
def test_a_light_command_starts_without_the_libraries_of_others(
    command: tuple[str, ...], needs: set[str], said: str, tmp_path: Path
) -> None:
    code = f"""
import sys
from deploy.cli import main
sys.argv = ["liaowang", *{command}]
try:
    main()
finally:
    found = [each for each in {HEAVY} if each in sys.modules and each not in {needs}]
    assert not found, found
"""
    home = {**os.environ, "LIAOWANG_HOME": str(tmp_path)}
    for _ in range(2):  # the first look at a home makes its duty database, which Alembic does
        result = subprocess.run(
            [sys.executable, "-c", code], env=home, capture_output=True, text=True, check=False
        )
    assert result.stderr == "" and result.returncode == (3 if command[0] == "status" else 0)
    assert said in result.stdout
