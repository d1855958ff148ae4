"""`liaowang build`, `release list`, `indicators` as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from deploy.environment import as_environment
from schemas.settings import Settings
from tests.dagster_project.house import AIR, House, reading

DAY = date(2019, 5, 5)


def liaowang(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        env=as_environment(settings) | {"COLUMNS": "160", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.stack
def test_a_day_is_built_published_and_not_published_again(house: House) -> None:
    house.land(reading("a", DAY, 30))
    landed = house.settings
    first = liaowang(landed, "build", "--pending")
    assert (first.returncode, "release" in first.stdout) == (0, True), first.stderr
    again = liaowang(landed, "build", "--pending")
    assert (again.returncode, again.stdout.strip()) == (
        0,
        "nothing to build: every landed row is in a released build",
    )
    assert str(DAY) in liaowang(landed, "release", "list").stdout
    assert "杭州市" in liaowang(landed, "indicators", "--day", str(DAY)).stdout


@pytest.mark.stack
def test_a_failed_gate_ends_with_5(house: House) -> None:
    house.land(reading("a", DAY, 30))
    house.enter(AIR, 0, 9, accepted=9)
    done = liaowang(house.settings, "build", "--from", str(DAY), "--to", str(DAY))
    assert done.returncode == 5
    assert "ledger_reconciled" in done.stdout
    assert "nothing published" in done.stderr


def test_days_that_cannot_be_built_are_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for arguments in (["--from", "2024-01-02"], ["--from", "2024-01-02", "--to", "2024-01-01"]):
        done = liaowang(settings, "build", *arguments)
        assert (done.returncode, "Error" in done.stderr) == (2, True)


def test_a_warehouse_that_is_away_is_one_line_and_4(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, warehouse_port=1)
    done = liaowang(away, "release", "list")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (4, 1)
