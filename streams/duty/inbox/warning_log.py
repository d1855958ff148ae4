"""The topic of warnings as the broker has it now: its id, its offsets, what a group committed. A thin shell."""

from __future__ import annotations

from schemas.topics import WARNINGS
from streams.duty.inbox.read_position import Log
from streams.land.broker import administration, committed, describe


def log_of(broker: str, group: str = "") -> Log:
    """The topic now; with what a group committed, where one is named. Blocks; Unavailable without an answer."""
    with administration(broker) as admin:
        topic = describe(admin, [WARNINGS])[0]
        found = committed(admin, group) if group else {}
    offsets = {tp.partition: offset for tp, offset in found.items() if tp.topic == WARNINGS}
    return Log(topic.topic_id.partition("/")[0], topic.offsets, offsets)
