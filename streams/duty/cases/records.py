"""Writing down: every change of a case makes its audit entry and its event for Kafka, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from schemas.topics import DISPOSITIONS
from streams.duty.accounts.rights import Actor
from streams.duty.cases.disposition import encode_disposition, event_id
from streams.duty.database.models import AuditEntry, Case, Message, Notification
from streams.duty.lifecycle import ENTRIES, rank
from streams.duty.reasons import KEY, Reason


def record(
    session: Session,
    case: Case,
    kind: str,
    actor: Actor,
    now: datetime,
    *,
    state: str = "",
    text: str = "",
    reason: Reason | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write an entry, bring the case to `state` (as it is where none is given), and leave its event to go.

    `text` is what somebody wrote; where nobody did, `reason` is why the platform did it.
    """
    if reason is not None and not text:
        text, detail = str(reason), {**(detail or {}), KEY: reason.stored}
    if kind not in ENTRIES:
        raise ValueError(f"{kind!r} is no kind of entry; the feed of dispositions would refuse it")
    previous = case.state
    case.state = state or case.state
    case.version += 1
    case.changed = now
    entry = AuditEntry(
        case_id=case.id,
        ordinal=case.entries,
        kind=kind,
        at=now,
        who=actor.who,
        origin=actor.where,
        state=case.state,
        previous=previous,
        level=case.level,
        text=text,
        detail=json.dumps(dict(detail or {}), ensure_ascii=False),
    )
    case.entries += 1
    session.add(entry)
    uid = event_id(case, entry)
    payload = encode_disposition(case, entry)
    session.add(Message(uid=uid, topic=DISPOSITIONS, key=case.uid, payload=payload, created=now))
    return entry


def notify(
    session: Session,
    case: Case,
    now: datetime,
    *,
    kind: str,
    step: int,
    officer_id: int | None,
    channels: tuple[str, ...],
    part: str,
) -> None:
    """Leave a notification for each channel; `part` tells those of one kind and case apart, in the key."""
    for channel in channels:
        session.add(
            Notification(
                key=f"{case.uid}/{part}/{channel}",
                channel=channel,
                officer_id=officer_id,
                case_id=case.id,
                kind=kind,
                step=step,
                level=case.level,
                rank=rank(case.level),
                payload=json.dumps(_payload(case, kind), ensure_ascii=False),
                created=now,
                next_attempt=now,
            )
        )


def _payload(case: Case, kind: str) -> dict[str, Any]:
    """What a message may say: nothing personal, no evidence."""
    said = {
        "case": case.id,
        "kind": kind,
        "level": case.level,
        "state": case.state,
        "title": case.title,
        "rule": case.rule,
        "subject": case.subject,
        "region": case.region,
        "value": case.value,
        "threshold": case.threshold,
        "runbook": case.runbook,
        "duty_role": case.role,
        "episode": case.episode,
        "timeline": case.timeline or None,
        "at": case.occurred.isoformat(),
        "acknowledge_by": case.acknowledge_by.isoformat(),
    }
    return {key: value for key, value in said.items() if value is not None}
