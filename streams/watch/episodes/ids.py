"""Remembered ids of events, so that one sent twice counts once; kept in pages that are written once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

PAGE = 4000
"""Ids a page holds at most."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, int]).decode


class Ids:
    """Source and id of the events a copy of which could count again, with their time (ms).

    Whoever remembers one puts it into `seen` and appends it to `fresh`; a call for each event would cost too much.
    """

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.fresh: list[str] = []
        self._latest: dict[int, int] = {}
        self._forget_at = 10_000
        self._next = 0

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def many(self) -> bool:
        """Whether it is time to forget: twice as many as were left the last time."""
        return len(self.seen) > self._forget_at

    def forget(self, horizon: int) -> None:
        """Drop the ids of events before the horizon, of which no copy could count again."""
        self.seen = {key: time for key, time in self.seen.items() if time >= horizon}
        self._forget_at = 2 * len(self.seen) + 10_000

    def pages(self, horizon: int) -> Iterator[tuple[int, bytes | None]]:
        """New pages since the last call, and (None) those with nothing at or after the horizon."""
        fresh, self.fresh = self.fresh, []
        kept = {key: self.seen[key] for key in fresh if key in self.seen}
        keys = list(kept)
        for start in range(0, len(keys), PAGE):
            page = {key: kept[key] for key in keys[start : start + PAGE]}
            self._latest[self._next] = max(page.values())
            yield self._next, _pack(page)
            self._next += 1
        for number in [each for each, latest in self._latest.items() if latest < horizon]:
            del self._latest[number]
            yield number, None

    def restore(self, number: int, raw: bytes) -> None:
        """Put a page back."""
        page = _unpack(raw)
        self.seen.update(page)
        self._latest[number] = max(page.values())
        self._next = max(self._next, number + 1)
