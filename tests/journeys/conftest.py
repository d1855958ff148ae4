"""A stack of its own for each journey, stopped and removed at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.journeys.stack import Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that has never been up."""
    with TemporaryDirectory(prefix="liaowang-journey-") as folder:
        stack = Stack(Path(folder) / "home")
        try:
            yield stack
        finally:
            stack.close()
