"""Dagster's webserver and daemon: state under `<home>/dagster`, nothing reported to anyone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.environment import inherited
from deploy.local.process import demand_port
from schemas.settings import HOST, Settings

MODULE = "dagster_project.definitions"
INSTANCE = """telemetry:
  enabled: false
nux:
  enabled: false
run_queue:
  max_concurrent_runs: 2
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: 7
"""


def prepare(settings: Settings) -> Path:
    """Write Dagster's instance file; its home."""
    home = settings.home.absolute() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(INSTANCE)
    return home


def environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes find in their environment."""
    return inherited(settings) | {"DAGSTER_HOME": str(prepare(settings))}


def webserver(settings: Settings) -> None:
    """Become the webserver."""
    demand_port(settings.dagster_port, "dagster_port", "dagster-webserver")
    address = ["-h", HOST, "-p", str(settings.dagster_port)]
    _become(settings, "dagster_webserver", [*address, "-m", MODULE])


def daemon(settings: Settings) -> None:
    """Become the daemon that runs schedules, sensors and queued runs."""
    _become(settings, "dagster._daemon", ["run", "-m", MODULE])


def _become(settings: Settings, module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-m", module, *arguments]
    os.execve(command[0], command, environment(settings))
