"""Routes of replays: what the warnings of replays said that opened no case."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from streams.duty.api.cases import Limit, Offset
from streams.duty.api.problems import responses
from streams.duty.cases.replayed import find_replays, replay_view, replayed_view, warnings_of
from streams.duty.dependencies import Who

router = APIRouter(prefix="/api/v1", tags=["replays"], responses=responses(400, 401, 422, 429, 503))
Timeline = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/replays", summary="Replays whose warnings opened no case")
def replays(asked: Who) -> dict[str, Any]:
    """The latest first, each with its number of warnings by level; what the bearer may see."""
    with asked.deps.database.reading() as session:
        found = find_replays(session, asked.actor, asked.desk.regions)
    return {"items": [replay_view(each) for each in found]}


@router.get("/replays/warnings", summary="The warnings of one replay")
def warnings(
    asked: Who,
    request: Request,
    response: Response,
    timeline: Timeline,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Its transitions in order of time: items, total, limit, offset; header `Link` names the next page."""
    with asked.deps.database.reading() as session:
        found, total = warnings_of(session, asked.actor, asked.desk.regions, timeline, limit, offset)
    if offset + limit < total:
        response.headers["Link"] = f'<{request.url.include_query_params(offset=offset + limit)}>; rel="next"'
    return {"items": [replayed_view(row) for row in found], "total": total, "limit": limit, "offset": offset}
