"""Warnings as pushes in the outbox: one that can be no push is dead there and set aside, and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streams.duty.faults import Doubt, SetAside
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.systems.outbox import Outbox, Refused
from streams.duty.systems.push import Push, push_of


class PushInbox:
    """What the reader of `push` writes warnings down in."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float], aside: SetAside) -> None:
        self._outbox, self._clock, self._aside = outbox, clock, aside
        self._doubt = Doubt()

    def take(self, found: Sequence[Read], reached: ReadPosition) -> int:
        """Write warnings down as pushes; how many were new."""
        pushes: list[Push] = []
        refused: list[Refused] = []
        for read in found:
            try:
                push = push_of(read.warning)
                push.rank  # noqa: B018 (a level that is none is refused here, not by the outbox)
                pushes.append(push)
                self._doubt.good()
            except Exception as error:
                reason = self._doubt.blame(error)
                refused.append(Refused(str(read.warning.id), reason))
                self._aside(f"{read.place}: warning {read.warning.id}", f"it can be no push: {reason}")
        return self._outbox.add(pushes, self._clock(), refused, reached)

    def reached(self) -> Mapping[str, ReadPosition]:
        """How far each log was read."""
        return self._outbox.reached()

    def empty(self) -> bool:
        """Whether there never was a push."""
        return self._outbox.empty()
