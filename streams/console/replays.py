"""The page of replays: warnings of files that were played back, which opened no case."""

from __future__ import annotations

import math
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from streams.console.access import Visit, page
from streams.console.cases import DEEPEST, EACH, naming_of, page_number
from streams.console.dependencies import ConsoleDependencies
from streams.duty.cases.replayed import find_replays, warnings_of


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of replays."""
    return [Route("/replays", page(deps, show_replays))]


def show_replays(visit: Visit) -> Response:
    """All replays a visitor may see warnings of; with `timeline` the warnings of that one."""
    query, regions = visit.request.query_params, visit.deps.regions
    timeline, number = query.get("timeline", "")[:200], page_number(query.get("page", "1"))
    with visit.deps.database.reading() as session:
        replays = [] if timeline else find_replays(session, visit.actor, regions)
        rows, total = (
            warnings_of(session, visit.actor, regions, timeline, EACH, (number - 1) * EACH)
            if timeline
            else ([], 0)
        )

    def link(to: int) -> str:
        return f"/replays?{urlencode({'timeline': timeline, 'page': to})}"

    return visit.render(
        "replays.html",
        active="cases",
        naming=naming_of(visit),
        timeline=timeline,
        replays=[(each, f"/replays?{urlencode({'timeline': each.timeline})}") for each in replays],
        warnings=rows,
        total=total,
        page=number,
        pages=max(1, min(DEEPEST, math.ceil(total / EACH))),
        link=link,
    )
