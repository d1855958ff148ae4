"""The topic of warnings as the broker has it now: its id, its offsets, what a group committed. A thin shell."""

from __future__ import annotations

from kafka import errors
from kafka.admin import KafkaAdminClient

from schemas.topics import WARNINGS
from streams.duty.inbox.reached import Log
from streams.land.broker import administration, describe
from streams.retrying import within

MOST_SECONDS, PAUSE_SECONDS = 5.0, 0.25
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
    try:
        found = within(
            lambda: admin.list_group_offsets(group)[group],
            lambda error: isinstance(error, _NO_COORDINATOR),
            MOST_SECONDS,
            PAUSE_SECONDS,
        )
    except errors.GroupIdNotFoundError:
        return {}
    return {tp.partition: at.offset for tp, at in found.items() if tp.topic == WARNINGS}
