"""The topic of warnings as the broker has it now: its id, its offsets, what a group committed. A thin shell."""

from __future__ import annotations

import time

from kafka import errors
from kafka.admin import KafkaAdminClient

from schemas.topics import WARNINGS
from streams.duty.inbox.reached import Log
from streams.land.broker import administration, describe

TRIES, PAUSE_SECONDS = 20, 0.25
"""A broker that has just started makes or reads its topic of offsets when first asked for them."""
_NO_COORDINATOR = (
    errors.CoordinatorNotAvailableError,
    errors.CoordinatorLoadInProgressError,
    errors.NotCoordinatorError,
)


def log_of(broker: str, group: str = "") -> Log:
    """The topic now; with what a group committed, where one is named. Blocks; Unavailable without an answer."""
    with administration(broker) as admin:
        topic = describe(admin, [WARNINGS])[0]
        committed = _committed(admin, group) if group else {}
    return Log(topic.topic_id.partition("/")[0], topic.offsets, committed)


def _committed(admin: KafkaAdminClient, group: str) -> dict[int, int]:
    for left in range(TRIES - 1, -1, -1):
        try:
            found = admin.list_group_offsets(group)[group]
            return {tp.partition: at.offset for tp, at in found.items() if tp.topic == WARNINGS}
        except errors.GroupIdNotFoundError:
            return {}
        except _NO_COORDINATOR:
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)
    return {}
