"""Files of a case: stored with it in one transaction, of a few kinds (`file_kinds.py`)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from streams.duty.accounts.rights import Actor
from streams.duty.cases.file_kinds import check, plain_name
from streams.duty.cases.records import record
from streams.duty.cases.service import visible
from streams.duty.database.models import Attachment, Case
from streams.duty.refusals import Conflict, NotFound, TooLarge
from streams.duty.rosters.desk import Desk

LARGEST = 10 * 1024 * 1024
MOST = 20


def attach(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    name: str,
    media_type: str,
    content: bytes,
) -> Attachment:
    """One more file of a case."""
    case = visible(session, desk, actor, case_id, "handle", lock=True)
    if len(content) > LARGEST:
        raise TooLarge(f"an attachment has at most {LARGEST} bytes, not {len(content)}")
    plain = plain_name(name)
    kind = check(plain, media_type, content)
    _check_number(session, case)
    attachment = Attachment(
        case_id=case.id,
        name=plain,
        media_type=kind,
        size=len(content),
        sha256=sha256(content).hexdigest(),
        content=content,
        at=now,
        who=actor.who,
    )
    session.add(attachment)
    session.flush()
    detail = {"attachment": attachment.id, "name": attachment.name, "sha256": attachment.sha256}
    record(session, case, "attached", actor, now, detail=detail)
    return attachment


def content_of(session: Session, desk: Desk, actor: Actor, case_id: int, attachment_id: int) -> Attachment:
    """A file of a case with its content."""
    visible(session, desk, actor, case_id)
    query = sa.select(Attachment).where(Attachment.id == attachment_id, Attachment.case_id == case_id)
    found = session.scalars(query.options(undefer(Attachment.content))).one_or_none()
    if found is None:
        raise NotFound(f"case {case_id} has no attachment {attachment_id}")
    return found


def _check_number(session: Session, case: Case) -> None:
    number = session.scalar(sa.select(sa.func.count()).where(Attachment.case_id == case.id)) or 0
    if number >= MOST:
        raise Conflict(f"case {case.id} has {number} attachments; more than {MOST} are not taken")
