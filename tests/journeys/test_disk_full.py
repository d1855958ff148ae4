"""The warehouse's disk is full in the middle of a build: said so, nothing published, nobody's quality task."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dagster_project.days.spans import Span
from dagster_project.orchestrate.runs import run_span
from dagster_project.warehouse import warehouse
from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.errors import Unavailable
from schemas.settings import PREFIX, Settings
from tests.dagster_project.house import House, reading

pytestmark = [pytest.mark.stack, pytest.mark.journey, pytest.mark.timeout(600)]
DAY = date(2024, 3, 1)
SIZE = 160 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Settings]:
    """A warehouse on a file system of its own that is soon full."""
    home = tmp_path / "home"
    disk = home / "warehouse"
    disk.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        ensure_secrets(home)
        ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
        settings = settings_from({f"{PREFIX}HOME": str(home), **ports})
        with warehouse_running(settings):
            migrate(settings)
            yield settings
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_a_build_and_nothing_else(small: Settings) -> None:
    filler = small.home / "warehouse" / "filler"
    with warehouse(small) as connection:
        house = House(small, connection, datetime(2024, 6, 1, tzinfo=UTC), DAY)
        house.land(*(reading(f"e{n}", DAY, 1 + n % 100) for n in range(20_000)))
        _fill(filler)
        with pytest.raises(Unavailable, match="disk is full"):
            run_span(small, Span(DAY, DAY), lambda table, what: None)
        filler.unlink()
        assert connection.rows("SELECT count() FROM quality.task") == [(0,)]
        assert connection.rows("SELECT count() FROM release.pointer") == [(0,)]
        done = run_span(small, Span(DAY, DAY), lambda table, what: None)
        assert done.passed and done.seq == 1
        assert connection.rows("SELECT count() FROM mart.ecology_air_quality") == [(20_000,)]


def _fill(path: Path) -> None:
    """Leave next to nothing free: what small parts need, not what a part of rows needs."""
    room = os.statvfs(path.parent)
    path.write_bytes(b"x" * (room.f_bavail * room.f_frsize - (600 << 10)))
