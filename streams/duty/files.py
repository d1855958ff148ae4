"""Files that people edit in a home, made from the examples that come with duty."""

from __future__ import annotations

import os
from pathlib import Path


def from_example(path: Path, example: Path) -> Path:
    """The path; where there is no file yet, the example becomes it, whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_bytes(example.read_bytes())
        fresh.replace(path)
    return path
