"""The list of rules: what each watches, what is open of it, how often it was right, and what it missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from schemas.levels import BY_RANK
from streams.console.access import Visit, page
from streams.console.chart import number
from streams.console.dependencies import ConsoleDependencies
from streams.console.reviewed import Right
from streams.duty.cases import queries
from streams.watch.declare.rule import Rule

HOURLY = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True)
class RuleView:
    """A rule with its bounds in words, and what became of its warnings."""

    rule: Rule | None
    id: str
    bounds: tuple[tuple[str, str], ...]
    cases: int
    open: int
    verdicts: Mapping[str, int]
    last: datetime | None
    right: Right | None = None
    title: tuple[str, str] | None = None

    @property
    def judged(self) -> int:
        """Warnings that were found true or false."""
        return self.verdicts["true"] + self.verdicts["false"]


def rule_views(
    rules: Mapping[str, Rule],
    quality: list[dict[str, Any]],
    right: Mapping[str, Right],
    ever: Mapping[str, Rule] = MappingProxyType({}),
) -> list[RuleView]:
    """Every rule in force, and those that are gone but have cases still, with the titles that they had. Pure.

    `right`: what reviews found; `ever`: every rule that was published.
    """
    known = {each["rule"]: each for each in quality}
    nothing = {"cases": 0, "open": 0, "true": 0, "false": 0, "drill": 0, "duplicate": 0, "last_opened": None}
    views = []
    for id in sorted({*rules, *known}):
        rule, figures = rules.get(id), known.get(id, nothing)
        named = rule or ever.get(id)
        bounds = (
            () if rule is None else tuple((BY_RANK[rank], _bound(rule, value)) for rank, value in rule.bounds)
        )
        verdicts = {name: figures[name] for name in ("true", "false", "drill", "duplicate")}
        views.append(
            RuleView(
                rule,
                id,
                bounds,
                figures["cases"],
                figures["open"],
                verdicts,
                figures["last_opened"],
                right.get(id),
                (named.title, named.title_en) if named else None,
            )
        )
    return views


def _bound(rule: Rule, value: float) -> str:
    return length(value) if rule.kind == "absence" else number(value)


def length(seconds: float) -> str:
    """A length of time in its largest whole unit."""
    unit, size = next((each for each in HOURLY if seconds >= each[1] and seconds % each[1] == 0), ("s", 1))
    return f"{number(seconds / size)} {unit}"


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of rules."""
    return [Route("/rules", page(deps, show_rules))]


def show_rules(visit: Visit) -> Response:
    """The list; figures count what the visitor may see."""
    with visit.deps.database.reading() as session:
        quality = queries.rule_quality(session, visit.actor, visit.deps.regions)
    known = visit.deps.reviews.get().value
    roles = {id: rule.duty_role for id, rule in visit.deps.known.items()}
    right = known.right(visit.actor, roles, visit.deps.regions) if known else {}
    views = rule_views(visit.deps.rules, quality, right, visit.deps.known)
    return visit.render("rules.html", active="rules", rules=views)
