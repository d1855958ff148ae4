"""Files of a case: stored with it in one transaction, of a few kinds, each checked by its first bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from streams.duty.desk import Desk
from streams.duty.models import Attachment, Case
from streams.duty.records import record
from streams.duty.refusals import Conflict, NotFound, TooLarge, WrongType
from streams.duty.rights import Actor
from streams.duty.service import visible

LARGEST = 10 * 1024 * 1024
MOST = 20
NAME_LENGTH = 200
_OFFICE = "application/vnd.openxmlformats-officedocument"
BEGINNINGS: Mapping[str, tuple[bytes, ...]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "application/pdf": (b"%PDF-",),
    f"{_OFFICE}.wordprocessingml.document": (b"PK\x03\x04",),
    f"{_OFFICE}.spreadsheetml.sheet": (b"PK\x03\x04",),
    "text/plain": (),
    "text/csv": (),
}
"""Media types that are taken, with what their files begin with; text is known by being UTF-8 without NUL."""


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
    kind = media_type.partition(";")[0].strip().lower()
    _check(kind, content)
    _check_number(session, case)
    attachment = Attachment(
        case_id=case.id,
        name=plain_name(name),
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


def plain_name(name: str) -> str:
    """The file's name without folders and control characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip()
    if not plain or len(plain) > NAME_LENGTH:
        raise WrongType(f"must be a file name of at most {NAME_LENGTH} characters", "name")
    return plain


def _check(kind: str, content: bytes) -> None:
    if kind not in BEGINNINGS:
        raise WrongType(f"{kind!r} is not taken; these are: {', '.join(BEGINNINGS)}", "media_type")
    if not content:
        raise WrongType("the file is empty", "content")
    beginnings = BEGINNINGS[kind]
    if not (content.startswith(beginnings) if beginnings else _is_text(content)):
        raise WrongType(f"the content is not {kind}", "content")


def _is_text(content: bytes) -> bool:
    try:
        return "\x00" not in content.decode()
    except UnicodeDecodeError:
        return False


def _check_number(session: Session, case: Case) -> None:
    number = session.scalar(sa.select(sa.func.count()).where(Attachment.case_id == case.id)) or 0
    if number >= MOST:
        raise Conflict(f"case {case.id} has {number} attachments; more than {MOST} are not taken")
