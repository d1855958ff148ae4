"""Services that end again and again, as the supervisor's log tells it: they look well between two crashes."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path

WINDOW = 600.0
MANY = 3
"""So many ends by themselves within so many seconds are a crash loop."""
LOOPS = ((WINDOW, MANY), (3600.0, 4))
"""So are, for `status`, four within an hour: one that lasts a quarter of an hour each time is a loop as well."""
TAIL = 256 * 1024
_ENDED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ exited: (\S+) \(")
_STARTED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ supervisord started with pid ")
_RESTARTED = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ liaowang\.health: (\S+) does not come to itself "
)
_GRAVE = re.compile(r"\b(CRITICAL|ERROR)\b|Error\b|\"level\": ?\"(error|critical)\"", re.IGNORECASE)
_LAST_WORD = re.compile(r"worker: [a-z-]+: (?=\S)")
"""What a worker says as it ends; until then it may have warned of peers that were away."""
_WARNED = re.compile(r"\bWARN(ING)?\b")


def crash_loops(log: Path, now: float, window: float = WINDOW) -> dict[str, int]:
    """How often services that end again and again have ended within the window; `now` in seconds since 1970."""
    counts: Counter[str] = Counter()
    for line in tail(log):
        found = _ENDED.match(line)
        if found and now - _seconds(found[1]) <= window:
            counts[found[2]] += 1
    return {name: count for name, count in counts.items() if count >= MANY}


def restarts(logs: Path, now: float) -> dict[str, tuple[int, float]]:
    """Services that end, or are restarted as hung or unwell, again and again: how often in how many seconds.

    What was before the supervisor of now is over; `logs` is the folder of the home's logs.
    """
    ended, begun = tail(logs / "supervisor.log"), 0.0
    for line in ended:
        if found := _STARTED.match(line):
            begun = _seconds(found[1])
    times: dict[str, list[float]] = {}
    for pattern, lines in ((_ENDED, ended), (_RESTARTED, tail(logs / "health.log"))):
        for line in lines:
            if (found := pattern.match(line)) and _seconds(found[1]) >= begun:
                times.setdefault(found[2], []).append(_seconds(found[1]))
    loops = {}
    for name, at in times.items():
        counts = [(sum(now - each <= window for each in at), window, many) for window, many in LOOPS]
        loop = next(((count, window) for count, window, many in counts if count >= many), None)
        if loop is not None:
            loops[name] = loop
    return loops


def _seconds(text: str) -> float:
    """A time of a log, of this machine's clock, in seconds since 1970."""
    return datetime.fromisoformat(text).astimezone().timestamp()


def why(log: Path) -> str:
    """The last line of a service's log that it ended with or that speaks of an error, else its last line."""
    lines = [line.strip() for line in tail(log) if line.strip()]
    found = next((line for line in reversed(lines) if _grave(line)), lines[-1] if lines else "")
    return _LAST_WORD.sub("", found, count=1)


def _grave(line: str) -> bool:
    return bool(_LAST_WORD.match(line) or (_GRAVE.search(line) and not _WARNED.search(line)))


def tail(log: Path, size: int = TAIL) -> list[str]:
    """The last lines of a log, of so many bytes together; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
