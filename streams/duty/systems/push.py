"""A push: one transition of a warning, on its way to the officer on duty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.levels import LEVELS

# What a push says, and nothing more: the evidence stays inside, no push carries personal data.
FIELDS = (
    "rule",
    "title",
    "level",
    "previous",
    "kind",
    "subject",
    "region",
    "value",
    "threshold",
    "runbook",
    "duty_role",
    "episode",
    "ordinal",
)


@dataclass(frozen=True)
class Push:
    """A push to be written down: `id` is the transition's and the idempotency key, `payload` JSON.

    `replay`: what was played back goes after all that happens now.
    """

    id: str
    level: str
    payload: bytes
    replay: bool = False

    @property
    def rank(self) -> int:
        """0 for red to 3 for blue; 4 to 7 for those of replays."""
        return LEVELS.index(self.level) + (len(LEVELS) if self.replay else 0)


def push_of(warning: Any) -> Push:
    """The push of a decoded event of `duty.warning`; empty fields are left out."""
    said = {name: getattr(warning.data, name) for name in FIELDS}
    payload: dict[str, Any] = {
        "id": warning.id,
        **{name: value for name, value in said.items() if value is not None},
    }
    payload["at"] = warning.data.at.isoformat()
    if warning.timeline:
        payload["timeline"] = warning.timeline
    return Push(warning.id, warning.data.level, msgspec.json.encode(payload), bool(warning.timeline))
