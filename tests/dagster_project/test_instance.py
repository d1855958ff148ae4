"""The Dagster instance of a home, prepared by whoever comes first."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

PREPARE = (
    "import sys, pathlib, dagster_project.orchestrate.instance as i; "
    "i.prepare_instance(pathlib.Path(sys.argv[1]))"
)


def test_storage_made_by_several_at_once_is_marked_once(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PREPARE, str(tmp_path)]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    marked = sorted((tmp_path / "dagster").rglob("*.db"))
    assert {path.name for path in marked} >= {"runs.db", "schedules.db", "index.db"}
    for path in marked:
        with closing(sqlite3.connect(path)) as connection:
            assert len(connection.execute("SELECT * FROM alembic_version").fetchall()) == 1, path
