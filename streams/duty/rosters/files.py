"""Files that people edit in a home, made from the examples that come with duty."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from schemas.atomic_write import write_atomically
from schemas.errors import Misdeclared

log = logging.getLogger("liaowang.duty")

KEPT = "in-use"
"""The folder, beside such a file, with the last form of it that was right."""
T = TypeVar("T")


def from_example(path: Path, example: Path) -> Path:
    """The path; where there is no file yet, the example becomes it, whole or not at all."""
    if not path.exists():
        write_atomically(path, example.read_bytes())
    return path


def kept(path: Path, load: Callable[[Path], T]) -> T:
    """What a file says; where it is wrong now, what it said when it was right last. Never right: Misdeclared."""
    try:
        return right(path, load)
    except Misdeclared as error:
        before = kept_path(path)
        if not before.exists():
            raise
        log.error("%s; what it said before is in use until it is mended", error)
        return load(before)


def right(path: Path, load: Callable[[Path], T]) -> T:
    """What a file says, which is remembered as right; Misdeclared where it is wrong."""
    before = _content(path)
    found = load(path)
    content = _content(path)
    copy = kept_path(path)
    # Where it was not written meanwhile, this is what was loaded.
    if content and content == before and _content(copy) != content:
        try:
            write_atomically(copy, content)
        except OSError as error:
            log.error("%s is right, and cannot be remembered: %s", path, error.strerror)
    return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # `load` says what is wrong with it


def kept_path(path: Path) -> Path:
    """Where the last right form of a file is."""
    return path.parent / KEPT / path.name
