"""What all Faust workers share: how they start, log, stop, and show that they are alive."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import faust

from schemas.settings import Settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def start_logging() -> None:
    """One line an entry on standard error; libraries speak from WARNING up."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("liaowang").setLevel(logging.INFO)


def heartbeat(settings: Settings, worker: str) -> Callable[[], None]:
    """A function that touches `<home>/run/<worker>.heartbeat`; the health probe reads its age."""
    path = settings.home / "run" / f"{worker}.heartbeat"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.touch


def run_worker(app: Any, settings: Settings) -> None:
    """Run a Faust app in the foreground until SIGTERM or SIGINT, then stop it cleanly."""
    (settings.home / "faust").mkdir(parents=True, exist_ok=True)
    start_logging()
    worker = faust.Worker(app, loglevel="WARNING", override_logging=False, redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()
