"""The one screen: all regions at a glance, counts by level and state, indicators against their targets.

A visitor sees the counts of what he may see. Every number leads to the list it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from schemas.levels import LEVELS
from schemas.regions import Regions
from streams.console.access import Visit, page
from streams.console.cases import naming_of
from streams.console.dependencies import ConsoleDependencies
from streams.console.facts import Standing
from streams.console.tiles import Tile
from streams.console.views import case_view
from streams.duty.cases import queries
from streams.duty.cases.queries import Count
from streams.duty.lifecycle import OPEN
from streams.duty.refusals import NotFound

CELL_WIDTH, CELL_HEIGHT, MARGIN = 74, 84, 3
NEWEST = 6


@dataclass(frozen=True)
class TileView:
    """A tile with its place in pixels, its worst open level and how many cases are open there."""

    code: str
    name: str
    full: str
    city: bool
    x: int
    y: int
    level: str
    open: int


def tile_views(
    tiles: Sequence[Tile], counts: Iterable[Count], regions: Regions, english: bool
) -> list[TileView]:
    """Every tile with what is open there; a city's tile counts its counties, too. Pure."""
    number: Counter[str] = Counter()
    worst: dict[str, str] = {}
    for count in counts:
        city = regions.city_of(count.region)
        for code in {count.region, city.code if city else count.region}:
            number[code] += count.number
            worst[code] = min(worst.get(code, count.level), count.level, key=LEVELS.index)
    return [
        TileView(
            code=tile.region.code,
            name=short(tile.region.name_en if english else tile.region.name, english),
            full=tile.region.name_en if english else tile.region.name,
            city=tile.region.level == "city",
            x=tile.column * CELL_WIDTH + MARGIN,
            y=tile.row * CELL_HEIGHT + MARGIN,
            level=worst.get(tile.region.code, ""),
            open=number[tile.region.code],
        )
        for tile in tiles
    ]


def short(name: str, english: bool) -> str:
    """A name that fits on a tile: without 市, 县, 区 where two characters are left, at most so many."""
    if english:
        return name if len(name) <= 9 else f"{name[:8]}."
    bare = name[:-1] if len(name) > 2 and name[-1] in "市县区" else name
    return bare if len(bare) <= 4 else bare[:2]


def totals(counts: Iterable[Count]) -> tuple[dict[str, int], dict[str, int]]:
    """Open cases by level and by state; every level and state is there. Pure."""
    levels, states = dict.fromkeys(LEVELS, 0), dict.fromkeys(OPEN, 0)
    for count in counts:
        levels[count.level] += count.number
        states[count.state] += count.number
    return levels, states


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of the screen and of what its figures lead to."""
    return [
        Route("/screen", page(deps, show_screen, on_a_wall=True)),
        Route("/indicators/{indicator}", page(deps, show_indicator)),
    ]


def show_screen(visit: Visit) -> Response:
    """The one screen: what is real, or with `drill=yes` what is for practice; the other is one number on it."""
    deps, drill = visit.deps, visit.request.query_params.get("drill") == "yes"
    with deps.database.reading() as session:
        counts, others = (
            queries.open_counts(session, visit.actor, deps.regions, drill=which)
            for which in (drill, not drill)
        )
        shown = queries.Filters(open=True, drill=drill)
        newest = queries.newest_cases(session, visit.actor, deps.regions, shown, NEWEST)
    levels, states = totals(counts)
    known = deps.standings.get()
    naming = naming_of(visit)
    return visit.render(
        "screen.html",
        active="screen",
        wall=True,
        tiles=tile_views(deps.tiles, counts, deps.regions, visit.words.language == "en"),
        levels=levels,
        states=states,
        drill="yes" if drill else "no",
        others=sum(count.number for count in others),
        newest=[case_view(case, naming, visit.now) for case in newest],
        standings=known.value or (),
        trouble=known.trouble,
        known=known.value is not None,
        width=(max(tile.column for tile in deps.tiles) + 1) * CELL_WIDTH,
        height=(max(tile.row for tile in deps.tiles) + 1) * CELL_HEIGHT,
        cell=(CELL_WIDTH - 2 * MARGIN, CELL_HEIGHT - 2 * MARGIN),
    )


def show_indicator(visit: Visit) -> Response:
    """One indicator in every region, best first."""
    wanted = visit.request.path_params["indicator"]
    known = visit.deps.standings.get()
    found: Standing | None = next((each for each in known.value or () if each.id == wanted), None)
    if found is None and not known.trouble:
        raise NotFound(f"the current release shows no indicator {wanted[:100]}")
    return visit.render(
        "indicator.html", active="screen", standing=found, trouble=known.trouble, naming=naming_of(visit)
    )
