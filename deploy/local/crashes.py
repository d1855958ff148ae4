"""Services that end again and again, as the supervisor's log tells it: they look well between two crashes."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path

WINDOW = 600.0
MANY = 3
"""So many ends by themselves within so many seconds are a crash loop."""
TAIL = 256 * 1024
_ENDED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ exited: (\S+) \(")
_GRAVE = re.compile(r"\b(CRITICAL|ERROR)\b|Error\b|\"level\": ?\"(error|critical)\"", re.IGNORECASE)


def crash_loops(log: Path, now: float, window: float = WINDOW) -> dict[str, int]:
    """How often services that end again and again have ended within the window; `now` in seconds since 1970."""
    counts: Counter[str] = Counter()
    for line in tail(log):
        found = _ENDED.match(line)
        if found and now - datetime.fromisoformat(found[1]).astimezone().timestamp() <= window:
            counts[found[2]] += 1
    return {name: count for name, count in counts.items() if count >= MANY}


def why(log: Path) -> str:
    """The last line of a service's log that speaks of an error, else its last line."""
    lines = [line.strip() for line in tail(log) if line.strip()]
    return next((line for line in reversed(lines) if _GRAVE.search(line)), lines[-1] if lines else "")


def tail(log: Path, size: int = TAIL) -> list[str]:
    """The last lines of a log, of so many bytes together; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
