"""The topics of the intake's tests, for the gateway's door."""

from __future__ import annotations

from tests.streams.intake.conftest import topic

__all__ = ["topic"]
