"""Routes of attachments: put a file to a case, fetch it."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Request, Response, UploadFile
from sqlalchemy.orm import Session

from streams.duty.api.cases import attachment_view
from streams.duty.api.problems import responses
from streams.duty.cases import attachments
from streams.duty.dependencies import Id, IdempotencyKey, Who, once

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=responses(400, 401, 404, 422, 429, 503))


@router.post(
    "/cases/{case_id}/attachments",
    status_code=201,
    responses=responses(403, 409, 413, 415),
    summary="A file for a case",
)
def attach(
    who: Who,
    request: Request,
    case_id: Id,
    file: Annotated[
        UploadFile,
        File(description="JPEG, PNG, WebP, PDF, text, CSV, Word or Excel, named so; at most 10 MiB."),
    ],
    key: IdempotencyKey = None,
) -> Any:
    """The file as it is on record."""
    content = file.file.read(attachments.LARGEST + 1)
    digest = sha256(content).hexdigest()
    name, media_type = file.filename or "", file.content_type or ""

    def act(session: Session) -> dict[str, Any]:
        made = attachments.attach(
            session,
            who.desk,
            who.actor,
            who.now,
            case_id,
            name=name,
            media_type=media_type,
            content=content,
        )
        return attachment_view(made)

    return once(who, key, request, [name, media_type, digest], act, 201)


@router.get(
    "/cases/{case_id}/attachments/{attachment_id}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
    summary="A file of a case",
)
def fetch(who: Who, case_id: Id, attachment_id: Id) -> Response:
    """The bytes as they were attached."""
    with who.deps.database.reading() as session:
        found = attachments.content_of(session, who.desk, who.actor, case_id, attachment_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(found.content, media_type=found.media_type, headers=headers)
