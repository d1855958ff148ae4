"""The order in which lines arrive: that of their time, with duplicates and late lines further down.

So an ordinary event is never late, not even for a rule that waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from random import Random

from schemas.simulate.model import Dirt as Recipe
from streams.generate.dirt import Spoiler, kinds_in_turn
from streams.generate.encode import Encoder
from streams.generate.faults import Fault
from streams.generate.model import Dirt, Event, Line

CLEARLY = 1.5
"""A late line is late by more than so many times the contract's lateness, by the clock of its own source."""
Waiting = tuple[int, int, Line, Event | None]


class _Extras:
    """Dirty lines that wait for their turn; a late one until it is late for its source."""

    def __init__(self, clocks: dict[str, int], lateness: float) -> None:
        self.heap: list[Waiting] = []
        self._clocks, self._lateness, self._made = clocks, lateness, 0

    def put(self, arrival: float, raw: bytes, dirt: Dirt, late: Event | None = None) -> None:
        """A line that arrives then; `late` is the event of a late one."""
        heappush(self.heap, (int(arrival), self._made, Line(raw, dirt), late))
        self._made += 1

    def before(self, moment: float) -> Iterator[Line]:
        """The lines whose turn comes before a moment."""
        while self.heap and self.heap[0][0] < moment:
            _, made, line, late = heappop(self.heap)
            if late is None or self._clocks.get(late.source, 0) - late.at > CLEARLY * self._lateness:
                yield line
            elif moment != float("inf"):
                heappush(self.heap, (int(moment), made, line, late))


def lines(
    events: Iterable[Event],
    encode: Encoder,
    recipe: Recipe,
    faults: tuple[Fault, ...],
    supplement: Callable[[Event], Event],
    spared: set[int],
    spoiler: Spoiler,
    lateness: float,
    rng: Random,
) -> Iterator[Line]:
    """Every event's line in order of time, and among them the feed's dirt.

    A series in `spared` has an anomaly and gets no late lines, so no rule's wait matters for it. What is late says
    what `supplement` makes of its event.
    """
    clocks: dict[str, int] = {}
    extras = _Extras(clocks, lateness)
    heap, random, share = extras.heap, rng.random, 1.0 / recipe.every
    kinds = kinds_in_turn(faults)
    turn = rng.randrange(len(kinds))
    for event in events:
        if heap and heap[0][0] < event.at:
            yield from extras.before(event.at)
        yield Line(encode(event))
        clocks[event.source] = event.at
        if random() < share:
            turn = (turn + 1) % len(kinds)
            what = kinds[turn]
            if isinstance(what, Fault):
                extras.put(event.at, *spoiler.spoil(event, what))
            elif what == "broken-json":
                extras.put(event.at, *spoiler.tear(event))
            elif what == "duplicate":
                arrival = event.at + rng.uniform(*recipe.duplicate)
                extras.put(arrival, encode(event), spoiler.known(event, "duplicate"))
            elif event.series not in spared:
                late = supplement(event)
                arrival = event.at + rng.uniform(*recipe.late)
                extras.put(arrival, encode(late), spoiler.known(late, "late"), late)
    yield from extras.before(float("inf"))
