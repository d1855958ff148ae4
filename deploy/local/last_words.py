"""What a service's own log says last, and of an error: shown as it stands to who asks why it does not do well."""

from __future__ import annotations

import re
from pathlib import Path

TAIL = 256 * 1024
_GRAVE = re.compile(r"\b(CRITICAL|ERROR)\b|Error\b|\"level\": ?\"(error|critical)\"", re.IGNORECASE)
_LAST_WORD = re.compile(r"worker: [a-z-]+: (?=\S)")
"""What a worker says as it ends; until then it may have warned of peers that were away."""
_WARNED = re.compile(r"\bWARN(ING)?\b")


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
