"""What all Faust workers share: how they start, log, stop, and show that they are alive."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import faust

from schemas.settings import Settings
from streams.garbage import relax

STOP_SECONDS = 15
STUCK_SECONDS = 120.0
"""A piece of work that takes longer is no progress, though others are finished meanwhile."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Calm(logging.Filter):
    """Pass each message of a library once in a while: a broker away is worth a line, not thousands."""

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the entry is one of ours, or the first of its kind for so many seconds."""
        if record.name.partition(".")[0] == "liaowang":
            return True
        kind = (record.name, str(record.msg))
        if record.created - self._said.get(kind, -self._seconds) < self._seconds:
            return False
        self._said[kind] = record.created
        return True


def start_logging() -> None:
    """One line an entry on standard error; libraries speak from WARNING up, and do not repeat themselves."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("liaowang").setLevel(logging.INFO)
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # it tells how busy the machine is
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, Calm) for each in handler.filters):
            handler.addFilter(Calm())


def heartbeat(settings: Settings, worker: str) -> Callable[[], None]:
    """A function that touches `<home>/run/<worker>.heartbeat`; the health probe reads its age."""
    path = settings.home / "run" / f"{worker}.heartbeat"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.touch


class Work:
    """What a worker has begun and finished; its heart beats while it finishes something, or has nothing to do."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._begun = self._finished = self._before = 0
        self._open: dict[int, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """One piece of work; what is cancelled, as around a rebalance, is done with too."""
        self._begun += 1
        piece, self._open[self._begun] = self._begun, self._clock()
        try:
            yield
        finally:
            self._finished += 1
            del self._open[piece]

    def moving(self) -> bool:
        """Whether something was finished since the last call, or nothing waits to be, and nothing is stuck."""
        moved = self._finished != self._before or not self._open
        self._before = self._finished
        return moved and not self.stuck()

    def stuck(self) -> bool:
        """Whether some piece was begun too long ago, whatever the others do."""
        oldest = next(iter(self._open.values()), None)  # in the order in which they were begun
        return oldest is not None and self._clock() - oldest > STUCK_SECONDS


class WorkerProcess(faust.Worker):  # type: ignore[misc]
    """A Faust worker that ends when it is told to: Faust can hang when stopped while a rebalance is under way.

    Whatever was not finished then is read again at the next start, as after kill -9.
    """

    def _schedule_shutdown(self, signal: Any) -> None:
        timer = threading.Timer(STOP_SECONDS, self._cut_off)
        timer.daemon = True
        timer.start()
        super()._schedule_shutdown(signal)

    def _cut_off(self) -> None:
        logging.getLogger("liaowang").warning("did not stop within %d s; cut off", STOP_SECONDS)
        os._exit(0)


def run_worker(app: Any, settings: Settings) -> None:
    """Run a Faust app in the foreground until SIGTERM or SIGINT, then stop it cleanly."""
    (settings.home / "faust").mkdir(parents=True, exist_ok=True)
    start_logging()
    worker = WorkerProcess(
        app, loglevel="WARNING", override_logging=False, redirect_stdouts=False, quiet=True
    )
    relax()
    worker.spinner = None  # it would write control characters into logs and results
    worker.execute_from_commandline()
