"""What the SQL of indicators was traced to, remembered in a file by a digest of everything it follows from.

Reading the SQL of 140 indicators takes seconds, and each process of Dagster needs it as it loads the project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from dagster_project.share import lineage
from dagster_project.share.lineage import COUNTED, Schema, Traced, trace
from schemas.atomic_write import write_atomically

FILE = "dagster/lineage.json"
MOST = 2000


@cache
def _tracer() -> tuple[str, str]:
    """What is traced by another form of the tracer, or another sqlglot, is traced anew."""
    return version("sqlglot"), sha256(Path(lineage.__file__).read_bytes()).hexdigest()


@dataclass
class LineageMemory:
    """Traces SQL once; what is asked again is known. `used` is all that was asked."""

    known: dict[str, Traced]
    used: dict[str, Traced] = field(default_factory=dict)

    def __call__(self, sql: str, schema: Schema) -> Traced:
        """What `trace` gives."""
        key = _digest(sql, schema)
        if key not in self.used:
            self.used[key] = self.known.get(key) or trace(sql, schema)
        return self.used[key]


@contextmanager
def remembered(home: Path) -> Iterator[LineageMemory]:
    """The memory of a home; what is new in it is kept after the block, the oldest goes where it is too much.

    A file that cannot be read or written costs the time of tracing again, and nothing else.
    """
    path = home / FILE
    memory = LineageMemory(_read(path))
    yield memory
    if home.is_dir() and memory.used.keys() - memory.known.keys():
        every = {key: traced for key, traced in memory.known.items() if key not in memory.used} | memory.used
        with suppress(OSError):
            write_atomically(path, json.dumps(dict(list(every.items())[-MOST:])).encode())


def _read(path: Path) -> dict[str, Traced]:
    try:
        found = json.loads(path.read_bytes())
        return {
            str(key): {name: tuple((table, column) for table, column in traced[name]) for name in COUNTED}
            for key, traced in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(sql: str, schema: Schema) -> str:
    text = json.dumps([*_tracer(), sql, schema], sort_keys=True)
    return sha256(text.encode()).hexdigest()
