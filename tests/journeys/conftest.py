"""A stack of its own for each journey, stopped and removed at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.stack import Stack, fresh_stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that has never been up."""
    with fresh_stack() as stack:
        yield stack
