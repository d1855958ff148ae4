"""Events ahead of their arrival: one rule for the gateway, landing and watch, so that they never disagree."""

from __future__ import annotations

from datetime import datetime

from schemas.errors import Rejected
from schemas.fields import milliseconds


def future(time: datetime, arrived: int, skew: int) -> Rejected | None:
    """Why an event of this time that arrived then (ms since 1970) is refused, or None where it is not.

    Nothing occurs after it arrives. Up to `skew` (ms) ahead is a clock somewhat fast; more is a wrong one.
    """
    ahead = milliseconds(time) - arrived
    return Rejected("time", "future", time.isoformat()) if ahead > skew else None
