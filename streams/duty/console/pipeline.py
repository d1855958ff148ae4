"""The health of the pipeline: feeds with lag and freshness, the gate's verdicts, the releases."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from streams.duty.console.door import Visit, page
from streams.duty.console.parts import Parts


def routes(parts: Parts) -> list[Route]:
    """The routes of the pipeline."""
    return [Route("/health", page(parts, show_health))]


def show_health(visit: Visit) -> Response:
    """Everything that is known, and what is not."""
    feeds, trust = visit.parts.feeds.get(), visit.parts.trust.get()
    return visit.render(
        "health.html",
        active="health",
        feeds=feeds.value or (),
        trust=trust.value,
        trouble=feeds.trouble or trust.trouble,
        known=bool(feeds.at or trust.at),
    )
