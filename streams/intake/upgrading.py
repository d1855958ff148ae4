"""Where events go: the topic of their own major version, and upgraded those of the newer ones.

This is the one place at which an event of an older major version becomes one of a newer: whoever writes feeds goes
through it. Copies keep source and id, so an event that comes again, or that its sender sends as both, counts once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from schemas.contract import Contract
from schemas.upgrade import Upgrader
from streams.intake.mapping import LONGEST, Outgoing, subject_key

log = logging.getLogger("liaowang.intake")

Record = tuple[bytes | None, bytes]


def destinations(
    contract: Contract, upgrades: Sequence[Upgrader], records: Sequence[Record]
) -> Iterator[tuple[str, Sequence[Record]]]:
    """Each topic with the records that go there; the events' own first."""
    yield contract.topic, records
    for step in upgrades:
        records = [found for _, raw in records if (found := _record(step, raw))]
        if records:
            yield step.new.topic, records


def outgoing(event: Outgoing, upgrades: Sequence[Upgrader]) -> Outgoing | None:
    """An event of a file as one of the version that the last of these gives; None where one rejects it."""
    record: Record | None = (event.key, event.raw)
    for step in upgrades:
        record = record and _record(step, record[1])
    return record and event._replace(key=record[0], raw=record[1])


def _record(step: Upgrader, raw: bytes) -> Record | None:
    found = step(raw)
    if found and len(found[1]) > LONGEST:  # the broker would refuse it for ever, and all that is sent with it
        log.warning(
            "%s: an event that is %d bytes long once upgraded has no copy", step.new.feed, len(found[1])
        )
        return None
    return found and (subject_key(step.new.subject, found[0]), found[1])
