"""Dirt: extra lines made from real ones, each with exactly one fault and what must become of it.

Dirt never takes the place of a reading. A rejected line has an id of its own; a duplicate is its original
byte for byte.
"""

from __future__ import annotations

from random import Random

import msgspec

from streams.generate.clock import Clock
from streams.generate.encode import Encoder
from streams.generate.faults import ABSENT, ENVELOPE, Fault
from streams.generate.model import Dirt, Event

JSON_RULE = ("event", "json")
SPACERS = ("duplicate", "late")


def kinds_in_turn(faults: tuple[Fault, ...]) -> tuple[str | Fault, ...]:
    """Every kind of dirt, in the order in which they take turns: every other one is a fault."""
    every: tuple[str | Fault, ...] = ("broken-json", *faults)
    return tuple(kind for n, fault in enumerate(every) for kind in (SPACERS[n % 2], fault))


class Spoiler:
    """Makes lines with faults out of a feed's events."""

    def __init__(self, feed: str, encode: Encoder, clock: Clock, rng: Random) -> None:
        self._feed, self._encode, self._clock, self._rng = feed, encode, clock, rng

    def spoil(self, event: Event, fault: Fault) -> tuple[bytes, Dirt]:
        """The event's line with one fault, under an id of its own."""
        fake = Event(f"{event.id}~bad", event.source, event.at, event.data, event.series)
        envelope = msgspec.json.decode(self._encode(fake))
        target = envelope if fault in ENVELOPE else envelope["data"]
        value = self._rng.choice(fault.values)
        target[fault.field] = value
        if value is ABSENT:
            del target[fault.field]
        known = Dirt(
            feed=self._feed,
            kind=fault.kind,
            outcome="rejected",
            id=envelope.get("id"),
            source=envelope.get("source"),
            time=self._clock.time(event.at),
            field=fault.field,
            rule=fault.rule,
        )
        return msgspec.json.encode(envelope), known

    def tear(self, event: Event) -> tuple[bytes, Dirt]:
        """The event's line cut short, as a broken transfer leaves it: no longer JSON."""
        raw = self._encode(event)
        field, rule = JSON_RULE
        time = self._clock.time(event.at)
        dirt = Dirt(self._feed, "broken-json", "rejected", None, None, time, field, rule)
        return raw[: self._rng.randint(len(raw) // 3, len(raw) - 2)], dirt

    def known(self, event: Event, outcome: str) -> Dirt:
        """What must become of a line that the contract accepts: `duplicate` or `late`."""
        time = self._clock.time(event.at)
        return Dirt(self._feed, outcome, outcome, event.id, event.source, time)
