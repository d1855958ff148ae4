"""A warning as it was read, and what it is given to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from schemas.contract import FEEDS, load_contract
from schemas.decoder import Decoder
from streams.duty.inbox.read_position import ReadPosition


@dataclass(frozen=True)
class Read:
    """A decoded warning, where on its topic it stands, and when it arrived there (ms since 1970).

    `at`: the same place as (partition, offset), where it is known.
    """

    warning: Any
    place: str
    arrived: int = 0
    at: tuple[int, int] | None = None


def warning_decoder(feeds: Path = FEEDS) -> Decoder:
    """The decoder of warnings, by their contract among these."""
    return Decoder(load_contract(feeds / "duty" / "warning.yaml"))


class Inbox(Protocol):
    """What a reader of warnings writes them down in. Each call blocks; Unavailable while it is away."""

    def take(self, found: Sequence[Read], reached: ReadPosition) -> int:
        """Write warnings down in their order, and with them how far was read; how many of them were new."""

    def reached(self) -> Mapping[str, ReadPosition]:
        """How far each log was read, by its id."""

    def empty(self) -> bool:
        """Whether nothing was ever written down."""
