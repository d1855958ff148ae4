"""Feeds of a test's own on the session's broker and warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import Settings
from tests.streams.land.rig import Rig


@pytest.fixture
def rig(kafka: str, warehouse: Settings, tmp_path: Path) -> Rig:
    """One feed like ecology.air-quality, with two partitions."""
    assert kafka == warehouse.kafka
    return Rig(warehouse, tmp_path / "land.log")
