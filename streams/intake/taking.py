"""A batch judged: each event by the major version that its type names, and what the answer says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.event import id_of
from streams.intake.batch import SHOWN_ID, Fault, Record, check_batch
from streams.intake.rights import Scope
from streams.intake.served import Feed, Served


@dataclass(frozen=True)
class Judged:
    """The records of a batch by major version, and what is wrong with it."""

    parts: Sequence[tuple[Feed, Sequence[Record]]]
    faults: Sequence[Fault]

    @property
    def older(self) -> dict[str, int]:
        """How many events are of older major versions, by event type."""
        return {feed.contract.event_type: len(records) for feed, records in self.parts if feed.contract.older}

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer says of older major versions; of several, the one that ends first."""
        sunsets = [feed.contract.sunset for feed, _ in self.parts if feed.contract.sunset]
        return min(sunsets, key=lambda sunset: sunset.ends).headers if sunsets else {}


def judge_batch(served: Served, department: str, feed: Feed, items: Sequence[bytes], now: datetime) -> Judged:
    """Judge a batch that came for a feed; Refused where one of its events is of a version that is not taken."""
    parts: list[tuple[Feed, Sequence[Record]]] = []
    faults: list[Fault] = []
    for part, places in feed.parts(items):
        served.require_right(department, part.contract)
        part.require_in_time(now)
        scope = served.rights.scope(department, part.contract)
        mine = [items[place] for place in places]
        records, wrong = check_batch(part.contract, part.decoder, mine, now, scope)
        if not wrong:
            wrong = _copies_outside(served.rights.scopes(department, part.upgrades), part, mine)
        parts.append((part, records))
        faults += [replace(fault, index=places[fault.index]) for fault in wrong]
    return Judged(parts, sorted(faults, key=lambda fault: fault.index))


def _copies_outside(scopes: Sequence[Scope | None], part: Feed, items: Sequence[bytes]) -> list[Fault]:
    """The events whose copies, as newer versions, would be of regions that their sender has no right to.

    Where an upgrade leaves the region as it is, there is nothing to ask and no event is upgraded for it.
    """
    found: list[Fault] = []
    for index, raw in enumerate(items if any(scopes) else ()):
        for step, scope in zip(part.upgrades, scopes, strict=True):
            copy = step(raw)
            if copy is None:
                break
            data, raw = copy
            if scope is not None and (region := scope.outside(data)) is not None:
                found.append(Fault(index, id_of(raw)[:SHOWN_ID], scope.column, "scope", region[:SHOWN_ID]))
                break
    return found
