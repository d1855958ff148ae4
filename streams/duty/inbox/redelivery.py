"""Which warnings are taken again where what was written down of them is gone: pure, over the topic in its order.

Nobody knows which of them had been delivered. All that arrived lately are taken again, and of older ones those of
episodes that are not over; a receiver knows the copies by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.duty.inbox.read import Read

ENDS = ("recovered", "cancelled")


class Redelivery:
    """Sorts what is read: `since` in ms since 1970, by the broker's time of arrival."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._held: dict[str, list[Read]] = {}
        self.taken, self.left = 0, 0

    def sort(self, found: Iterable[Read]) -> list[Read]:
        """Those to be taken now, in order: an episode with a late transition whole."""
        taken = list(self._sorted(found))
        self.taken += len(taken)
        return taken

    def rest(self) -> list[Read]:
        """At the end of the topic: the older transitions of episodes that are still open."""
        return [read for held in self._held.values() for read in held]

    def _sorted(self, found: Iterable[Read]) -> Iterator[Read]:
        for read in found:
            data = read.warning.data
            if read.arrived >= self._since:
                yield from self._held.pop(data.episode, ())
                yield read
            elif data.kind in ENDS:
                self.left += 1 + len(self._held.pop(data.episode, ()))
            else:
                self._held.setdefault(data.episode, []).append(read)
