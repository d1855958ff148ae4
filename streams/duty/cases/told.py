"""Who was told of a case: one meaning of the word for the chain, the end of a warning, and what is let go.

Told is whom a message has reached, or still may: delivered, or on its way. One that is dead, or was kept back, has
told nobody.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from streams.duty.database.models import Notification

PENDING, DELIVERED, DEAD, SUPPRESSED = "pending", "delivered", "dead", "suppressed"
ENDED = "ended"
"""The kind of message that says a warning is over."""


def told() -> sa.ColumnElement[bool]:
    """Whether a notification has told its officer, or is on its way to him."""
    return Notification.state.in_((PENDING, DELIVERED))


def of_round(case: Any) -> sa.ColumnElement[bool]:
    """Notifications that ask for somebody since the case began to wait; `case` may be one, or the table of all.

    Those of "still open" had no round in their key once: they are of the present one.
    """
    rounds = (sa.cast(case.round, sa.Text), "still")
    return sa.or_(*(_begins(case.uid + "/" + each + "/") for each in rounds))


def _begins(text: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = sa.func.substr(Notification.key, 1, sa.func.length(text)) == text
    return found


def heard_before() -> sa.ColumnElement[bool]:
    """Of a notification: whether its reader may have heard of the case by the same channel before.

    Delivered, or tried: a try that was not answered may have arrived.
    """
    other = aliased(Notification)
    tried = sa.and_(other.message != "", other.state.in_((PENDING, SUPPRESSED)))
    return sa.exists().where(
        other.case_id == Notification.case_id,
        other.channel == Notification.channel,
        other.officer_id.is_not_distinct_from(Notification.officer_id),
        other.kind != ENDED,
        sa.or_(other.state == DELIVERED, tried),
    )
