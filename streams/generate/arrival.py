"""The order in which lines arrive: that of their time, with duplicates and late lines further down.

So an ordinary event is never late, not even for a rule that waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random

from schemas.subject import joined
from streams.generate.dirt import Fault, Recipe, encode, spoil, tear
from streams.generate.model import Dirt, Event, Kind, Line, Span


@dataclass
class _Extras:
    """Dirty lines that wait for their turn."""

    heap: list[tuple[datetime, int, Line]] = field(default_factory=list)
    made: int = 0

    def put(self, arrival: datetime, raw: bytes, dirt: Dirt) -> None:
        heappush(self.heap, (arrival, self.made, Line(raw, dirt)))
        self.made += 1

    def before(self, moment: datetime) -> Iterator[Line]:
        while self.heap and self.heap[0][0] < moment:
            yield heappop(self.heap)[2]


def lines(
    events: Iterable[Event], kind: Kind, recipe: Recipe, spared: frozenset[str], span: Span, rng: Random
) -> Iterator[Line]:
    """Every event's line in order of time, and among them the feed's dirt.

    A subject in `spared` has an anomaly and gets no late lines, so no rule's wait matters for it.
    """
    extras = _Extras()
    turn = rng.randrange(len(recipe.kinds))
    for event in events:
        yield from extras.before(event.time)
        yield Line(encode(event, kind))
        if rng.random() * recipe.every < 1.0:
            turn = (turn + 1) % len(recipe.kinds)
            _add(extras, recipe.kinds[turn], event, kind, recipe, spared, span, rng)
    yield from extras.before(datetime.max.replace(tzinfo=span.end.tzinfo))


def _add(
    extras: _Extras,
    what: str | Fault,
    event: Event,
    kind: Kind,
    recipe: Recipe,
    spared: frozenset[str],
    span: Span,
    rng: Random,
) -> None:
    """Make one dirty line of the event; a late one only where events will still come after it."""
    if isinstance(what, Fault):
        extras.put(event.time, *spoil(event, kind, what, rng))
    elif what == "broken-json":
        extras.put(event.time, *tear(event, kind, rng))
    elif what == "duplicate":
        arrival = event.time + timedelta(minutes=rng.randint(*recipe.duplicate_minutes))
        extras.put(arrival, encode(event, kind), _known(event, kind, "duplicate"))
    else:
        arrival = event.time + timedelta(minutes=rng.randint(*recipe.late_minutes))
        if arrival < span.end and subject(event, kind) not in spared:
            data = {**event.data, **{name: rng.randint(*bounds) for name, bounds in recipe.late_data.items()}}
            late = replace(event, id=f"{event.id}~late", data=data)
            extras.put(arrival, encode(late, kind), _known(late, kind, "late"))


def _known(event: Event, kind: Kind, outcome: str) -> Dirt:
    return Dirt(kind.feed, outcome, outcome, event.id, event.source, event.time)


def subject(event: Event, kind: Kind) -> str:
    """What the warning rules of the feed call the event's subject."""
    return joined([str(event.data[name]) for name in kind.subject])
