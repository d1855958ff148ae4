"""Forms that browsers send: how long they may be and how long they may take, before anybody reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from streams.duty.refusals import TooLarge

MOST_FIELDS = 60
FORM_OVERHEAD = 160 * 1024
FORM_SECONDS = 120.0
"""How long a form may take to come."""


def check_length(request: Request, most: int = 0) -> None:
    """Refuse a form that is too large before it is read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > most + FORM_OVERHEAD:
        raise HTTPException(413 if length else 411)


def is_large(request: Request) -> bool:
    """Whether it comes with a file: that is not even read from somebody who is not signed in."""
    return int(request.headers["content-length"]) > FORM_OVERHEAD


@asynccontextmanager
async def form_of(request: Request, *, max_files: int, max_fields: int) -> AsyncIterator[FormData]:
    """The form that comes with a request, which must come in time."""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            form = await request.form(max_files=max_files, max_fields=max_fields, max_part_size=FORM_OVERHEAD)
    except (TimeoutError, ClientDisconnect):  # who is gone reads no answer
        raise HTTPException(408) from None
    try:
        yield form
    finally:
        await form.close()


def bytes_of(file: UploadFile, most: int) -> bytes:
    """The bytes of a file that was sent; TooLarge beyond the limit."""
    content = file.file.read(most + 1)
    if len(content) > most:
        raise TooLarge(f"an attachment has at most {most} bytes")
    return content
