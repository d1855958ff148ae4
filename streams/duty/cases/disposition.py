"""An audit entry as an event of the feed `duty.disposition`: the case as it is after it, without names.

Every event carries the whole case, so an indicator needs the last one of a case only. Logins, comments and
what was written stay in the duty database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas.event import encode_event
from schemas.topics import DISPOSITION_TYPE
from streams.duty.database.models import AuditEntry, Case

SOURCE = "/liaowang/duty"
TYPE = DISPOSITION_TYPE
TIMES = (
    *("occurred", "opened", "acknowledged", "started", "disposed", "confirmed", "closed", "recovered"),
    *("acknowledge_by", "close_by"),
)


def event_id(case: Case, entry: AuditEntry) -> str:
    """The id of an entry's event: the same for the same entry, never that of another one."""
    return f"{case.uid}/{entry.ordinal}@{int(entry.at.timestamp() * 1_000_000)}"


def encode_disposition(case: Case, entry: AuditEntry) -> bytes:
    """The entry as CloudEvents bytes; the replay of its warning goes with it as data, since it happens now."""
    data: dict[str, Any] = {
        "case_id": case.uid,
        "ordinal": entry.ordinal,
        "change": entry.kind,
        "state": entry.state,
        "previous": entry.previous,
        "level": case.level,
        "peak": case.peak,
        "kind": case.kind,
        "rule": case.rule,
        "subject": case.subject,
        "region": case.region or None,
        "duty_role": case.role,
        "team": case.team,
        "episode": case.episode,
        "replay": case.timeline or None,
        "verdict": case.verdict,
        "reopened": case.reopened,
        **{name: _moment(getattr(case, name)) for name in TIMES},
    }
    return encode_event(id=event_id(case, entry), source=SOURCE, type=TYPE, time=entry.at, data=data)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
