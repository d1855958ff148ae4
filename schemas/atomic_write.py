"""Files that are there whole or not at all, whenever their writer ends."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

UNREADABLE = (OSError, UnicodeError, RecursionError, msgspec.MsgspecError)
"""What reading a file of JSON raises where it is broken; msgspec itself lets text that is no UTF-8 through."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, and its folder where there is none; OSError, and the file of before, where it cannot be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
