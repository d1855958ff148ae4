"""How the events of the fortnight arrive: late, twice, corrected, broken, with ticks between them.

Corrections are of the same day or not, of corrections, of nothing, or ahead of what they correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from schemas.event import encode_tick
from tests.unchanged.made import (
    AIR,
    CASES,
    DAY,
    DAYS,
    HOUR,
    MINUTE,
    REPLAY,
    REPLAY_START,
    REQUESTS,
    START,
    TOPICS,
    Event,
    air,
    between,
    cases,
    dispositions,
    minutes,
    part,
    replayed,
    requests,
)

PARTITIONS = 3
EDITED = START + 12 * DAY + 12 * HOUR
"""From the ticks of this moment on other rules are in force."""


@dataclass(frozen=True)
class Arrived:
    """A record of a partition: where it stands in its log, when it arrived (ms) and what it holds."""

    feed: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


def records() -> list[Arrived]:
    """All records in the order in which they arrive; offsets have holes, as those of transactions have."""
    events = [*_with_mishaps([*air(), *cases(), *requests(), *replayed()]), *dispositions()]
    told = [
        (each.arrived, each.feed, _partition(each.subject), number, each.raw)
        for number, each in enumerate(events)
    ]
    told += [(at, feed, number, -1, raw) for at, feed, number, raw in ticks()]
    told.sort(key=lambda each: (each[0], each[1], each[2], each[3]))
    next_offset: dict[tuple[str, int], int] = {}
    found = []
    for at, feed, number, _, raw in told:
        offset = next_offset.get((feed, number), 0)
        next_offset[feed, number] = offset + (2 if offset % 97 == 96 else 1)
        found.append(Arrived(feed, number, offset, int(at.timestamp() * 1000), raw))
    return found


def _partition(subject: str) -> int:
    return sha256(subject.encode()).digest()[0] % PARTITIONS


def ticks() -> Iterator[tuple[datetime, str, int, bytes]]:
    """The clock of each feed in each partition; those after `EDITED` carry the next set of rules."""
    for feed in TOPICS:
        for number in range(PARTITIONS):
            for step in range((DAYS + 3) * 24 * 6):
                at = START + step * 10 * MINUTE
                epoch = 2 if at >= EDITED else 1
                yield at, feed, number, encode_tick(id=f"tick-{step}", clock=at, epoch=epoch)
            if feed in (AIR, CASES):
                for day in range(7):
                    clock, at = REPLAY_START + day * DAY, START + 11 * DAY + day * 10 * MINUTE
                    raw = encode_tick(
                        id=f"winter-{day}", clock=clock, timeline=REPLAY, final=day == 6, epoch=1
                    )
                    yield at, feed, number, raw


def _with_mishaps(events: list[Event]) -> Iterator[Event]:
    """These events, and what befalls some: they come late, twice, are put right, or cannot be read."""
    for each in events:
        name, luck = each.id, part(each.id, "mishap")
        late = each.arrived + minutes(100, 2000, name, "late")
        if luck < 0.02 and not each.timeline:
            yield replace(each, arrived=late)
            continue
        yield each
        if luck < 0.04:
            yield replace(each, arrived=late)
        elif luck < 0.07:
            yield from _put_right(each)
        elif luck < 0.09 and not each.timeline:
            yield _broken(each, between(0, len(DIRT) + 5, name, "dirt"))


def _put_right(each: Event) -> Iterator[Event]:
    """Corrections: later or earlier than what they correct, of the same day or not, once or twice."""
    key = {AIR: "pm25", CASES: "cases", REQUESTS: "limit_hours"}[each.feed]
    data = each.data | {key: round(each.data[key] * 0.5) + 2}
    wait = minutes(-5, 2800, each.id, "corrected")
    time = each.time + (DAY if part(each.id, "moved") < 0.2 else timedelta(0))
    right = replace(
        each, id=f"{each.id}-c", corrects=each.id, data=data, time=time, arrived=each.arrived + wait
    )
    if right.arrived + 5 * MINUTE < time:
        right = replace(right, arrived=time + MINUTE)
    yield right
    if part(each.id, "once more") < 0.3:
        again = data | {key: data[key] + 7}
        yield replace(
            right, id=f"{each.id}-cc", corrects=right.id, data=again, arrived=right.arrived + 3 * HOUR
        )
    if part(each.id, "astray") < 0.1:
        yield replace(right, id=f"{each.id}-x", corrects="nothing-of-this-name", arrived=right.arrived + HOUR)


DIRT: tuple[bytes | None, ...] = (None, b"", b"\xff\xfe", b"{", b"[]", b'{"id": "half"', b"[" * 2000)


def _broken(each: Event, kind: int) -> Event:
    """One that cannot be read, breaks its contract, or says that it is from far ahead."""
    if kind < len(DIRT):
        return replace(each, value=DIRT[kind], broken=True)
    if kind == len(DIRT):
        return replace(each, id=f"{each.id}-f", time=each.arrived + 9 * HOUR)
    if kind == len(DIRT) + 1:
        return replace(each, id=f"{each.id}-r", data=each.data | {"region": "310101"})
    if kind == len(DIRT) + 2:
        return replace(each, id=f"{each.id}-n", data=dict(list(each.data.items())[1:]))
    return replace(each, id=each.id, data=each.data | {"extra": part(each.id)}, arrived=each.arrived + HOUR)
