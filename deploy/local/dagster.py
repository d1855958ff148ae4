"""Dagster's webserver and daemon: state under `<home>/dagster`, nothing reported to anyone."""

from __future__ import annotations

import os
import sys

from dagster_project.orchestrate.instance import prepare_instance
from deploy.environment import inherited
from deploy.local.process import demand_port
from schemas.settings import Settings

MODULE = "dagster_project.definitions"


def environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes find in their environment."""
    return inherited(settings) | {"DAGSTER_HOME": str(prepare_instance(settings.home))}


def webserver(settings: Settings) -> None:
    """Become the webserver behind its guard."""
    demand_port(settings.dagster_port, "dagster_port", "dagster-webserver")
    _become(settings, "deploy.local.dagster_web", [])


def daemon(settings: Settings) -> None:
    """Become the daemon that runs schedules, sensors and queued runs."""
    _become(settings, "dagster._daemon", ["run", "-m", MODULE])


def _become(settings: Settings, module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(command[0], command, environment(settings))
