"""The health of the pipeline: feeds with lag and freshness, gate, releases; and the metrics of `watch`."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response
from starlette.routing import Route

from streams.console.access import Visit, page
from streams.console.dependencies import ConsoleDependencies


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of the pipeline."""
    return [Route("/health", page(deps, show_health)), Route("/metrics", page(deps, show_metrics))]


def show_health(visit: Visit) -> Response:
    """Everything that is known, and what is not."""
    feeds, trust = visit.deps.feeds.get(), visit.deps.trust.get()
    return visit.render(
        "health.html",
        active="health",
        feeds=feeds.value or (),
        trust=trust.value,
        trouble=feeds.trouble or trust.trouble,
        known=bool(feeds.at or trust.at),
    )


def show_metrics(visit: Visit) -> Response:
    """The figures of the worker that watches, with the rules by what they cost."""
    known = visit.deps.meters.get()
    meters = known.value
    rules = sorted(meters.rules, key=lambda each: (-each.seconds, each.rule)) if meters else ()
    return visit.render(
        "metrics.html",
        active="metrics",
        meters=meters,
        costs=[(each, visit.deps.known.get(each.rule)) for each in rules],
        trouble=known.trouble,
        read=datetime.fromtimestamp(known.at, UTC) if known.at else None,
    )
