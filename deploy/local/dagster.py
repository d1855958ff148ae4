"""Dagster's programs: one has the project, the page and the daemon ask it. Their state is under `<home>/dagster`.

By itself the daemon starts a program that loads the project each minute anew, and the page keeps one of its own:
with 65 feeds that was a tenth of a core and 150 MiB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import yaml
from dagster._core.workspace.load_target import GrpcServerTarget

from dagster_project.orchestrate.instance import prepare_instance
from deploy.environment import inherited
from deploy.local.probe import listens
from deploy.local.process import require_port
from deploy.local.supervisor_conf import code_socket
from schemas.atomic_write import write_atomically
from schemas.settings import HOST, Settings
from streams.retrying import until

MODULE = "dagster_project.definitions"
CODE_SECONDS = 600.0
"""How long page and daemon wait for the project as they start; then they go on and say what is missing."""


def environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes find in their environment."""
    return inherited(settings) | {"DAGSTER_HOME": str(prepare_instance(settings.home))}


def target(settings: Settings) -> GrpcServerTarget:
    """The program that has the project, as Dagster names it: by the module, whoever loads it."""
    return GrpcServerTarget(
        host=HOST, port=None, socket=str(code_socket(settings.home)), location_name=MODULE
    )


def code(settings: Settings) -> None:
    """Become the program that has the project, and whose children runs are."""
    socket = str(code_socket(settings.home))
    asked = ["api", "grpc", "--socket", socket, "--lazy-load-user-code", "--location-name", MODULE]
    _become(settings, "dagster", [*asked, "--log-level", "warning", "-m", MODULE])


def webserver(settings: Settings) -> None:
    """Become the webserver behind its guard."""
    require_port(settings.dagster_port, "dagster_port", "dagster-webserver")
    _await_code(settings)
    _become(settings, "deploy.local.dagster_web", [])


def daemon(settings: Settings) -> None:
    """Become the daemon that runs schedules, sensors and queued runs."""
    _await_code(settings)
    _become(settings, "dagster._daemon", ["run", "-w", str(_workspace(settings))])


def _workspace(settings: Settings) -> Path:
    """The file that names the program with the project, written anew."""
    path = settings.home.absolute() / "dagster" / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"socket": str(code_socket(settings.home)), "location_name": MODULE}
    write_atomically(path, yaml.safe_dump({"load_from": [{"grpc_server": place}]}).encode())
    return path


def _await_code(settings: Settings) -> None:
    until(lambda: listens(code_socket(settings.home)), CODE_SECONDS)


def _become(settings: Settings, module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(command[0], command, environment(settings))
