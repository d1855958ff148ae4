"""A figure that is asked for often and computed seldom: in the background, with its age and its trouble."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from schemas.errors import LiaowangError

log = logging.getLogger("liaowang.console")

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """What is known: the value of `at` (seconds since 1970), and why there is no newer one, if there is not."""

    value: T | None = None
    at: float = 0.0
    trouble: str = ""


class Cached(Generic[T]):
    """One figure. `get` never waits longer than told; a stale figure is given while a new one is made."""

    def __init__(
        self, load: Callable[[], T], seconds: float, clock: Callable[[], float], executor: Executor
    ) -> None:
        self._load, self._seconds, self._clock, self._executor = load, seconds, clock, executor
        self._lock = threading.Lock()
        self._known: Known[T] = Known()
        self._asked = 0.0
        self._running: Future[None] | None = None

    def get(self, timeout: float = 0.5) -> Known[T]:
        """What is known; the first time it may take so many seconds."""
        with self._lock:
            running = self._running
            if running is None and self._clock() - self._asked >= self._seconds:
                self._asked = self._clock()
                running = self._running = self._executor.submit(self._refresh)
        if running is not None and self._known.at == 0.0:
            wait([running], timeout)
        return self._known

    def forget(self) -> None:
        """Make it anew the next time somebody asks, however fresh it is."""
        with self._lock:
            self._asked = 0.0

    def _refresh(self) -> None:
        try:
            self._known = Known(self._load(), self._clock())
        except LiaowangError as error:
            self._known = replace(self._known, trouble=str(error))
        except Exception:
            log.exception("a figure of the console cannot be computed")
            self._known = replace(self._known, trouble="an error of the console; its log says more")
        finally:
            with self._lock:
                self._running = None
