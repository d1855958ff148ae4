"""Routes of the CAP feed: the index as Atom or RSS, and each message as CAP 1.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from streams.duty.api.problems import responses
from streams.duty.dependencies import reader
from streams.duty.refusals import NotFound
from streams.duty.systems import cap, cap_index

router = APIRouter(prefix="/api/v1/cap", tags=["cap"], responses=responses(400, 401, 422, 429, 503))
ATOM, RSS = "application/atom+xml", "application/rss+xml"
CapToken = Annotated[
    str, Query(max_length=200, description="A token of scope `cap`, for readers that send no header.")
]
RegionCode = Annotated[
    str, Query(pattern=r"^([0-9]{6})?$", description="A region code; all below it are included.")
]
Identifier = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,9}$")]


def _answers(media_type: str, *more: int) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}}, **responses(*more)}


@router.get(
    "/index.atom", responses=_answers(ATOM, 404), response_class=Response, summary="What holds now, as Atom"
)
def atom(request: Request, token: CapToken = "", region: RegionCode = "") -> Response:
    """The latest CAP message of each episode that is not over, or that ended within a day."""
    return _index(request, token, region, cap_index.atom, ATOM)


@router.get(
    "/index.rss", responses=_answers(RSS, 404), response_class=Response, summary="What holds now, as RSS"
)
def rss(request: Request, token: CapToken = "", region: RegionCode = "") -> Response:
    """The same for readers of RSS 2.0."""
    return _index(request, token, region, cap_index.rss, RSS)


@router.get(
    "/messages/{identifier}.xml",
    responses=_answers(cap.MEDIA_TYPE, 404),
    response_class=Response,
    summary="One CAP 1.2 message",
)
def message(request: Request, identifier: Identifier, token: CapToken = "") -> Response:
    """Alert, Update or Cancel, with references to what was told before of the same episode."""
    asked = reader(request, "cap", token)
    with asked.deps.database.reading() as session:
        told = cap_index.message(session, asked.deps.cap, asked.actor, asked.desk.regions, identifier)
    return _xml(cap.document(told, asked.deps.cap.sender), cap.MEDIA_TYPE)


def _index(
    request: Request, token: str, region: str, written: Callable[..., bytes], media_type: str
) -> Response:
    asked = reader(request, "cap", token)
    regions = asked.desk.regions
    if region and regions.get(region) is None:
        raise NotFound(f"{region!r} is no region code", "region")
    with asked.deps.database.reading() as session:
        found = cap_index.current(session, asked.deps.cap, asked.actor, regions, asked.now, region)
    base = f"{request.url.scheme}://{request.url.netloc}{router.prefix}"
    query = f"?token={quote(token, safe='')}" if token else ""

    def link(identifier: str) -> str:
        return f"{base}/messages/{identifier}.xml{query}"

    here = f"{base}/{request.url.path.rpartition('/')[2]}"
    return _xml(written(found, here, link, asked.now), media_type)


def _xml(content: bytes, media_type: str) -> Response:
    return Response(content, headers={"Content-Type": f"{media_type}; charset=utf-8"})
