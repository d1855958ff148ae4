"""Who may do what: by role and region, refused by default. Pure; the API, the console and the CLI ask here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from schemas.regions import Regions

ADMIN, SUPERVISOR, VIEWER = "admin", "supervisor", "viewer"
VERBS = ("see", "handle", "roster", "admin")
_SPECIAL = {
    ADMIN: frozenset(VERBS),
    SUPERVISOR: frozenset(("see", "handle", "roster")),
    VIEWER: frozenset(("see",)),
}
_OF_A_DUTY = frozenset(("see", "handle"))


PLATFORM = "platform"
"""Who acts where nobody does."""


class Origin(StrEnum):
    """Which part of the platform acts by itself, as the audit keeps it."""

    WARNINGS = "topic warnings"
    ESCALATION = "escalation"
    ROSTER_CHECK = "roster check"
    PUSH = "push"


@dataclass(frozen=True)
class Grant:
    """A role in a region and all below it: a duty role such as `ecology-duty`, or one of the special ones."""

    role: str
    region: str


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where: a login with his grants, or `operator:<user>` at the machine itself."""

    who: str
    where: str
    officer_id: int | None = None
    grants: tuple[Grant, ...] = ()


def may(grants: Iterable[Grant], verb: str, role: str, region: str, regions: Regions) -> bool:
    """Whether these grants allow a verb (see, handle, roster, admin) on what is `role`'s in `region`."""
    return any(verb in _verbs(grant.role, role) and covers(grant.region, region, regions) for grant in grants)


def bereft(held: Iterable[Grant], taken: Iterable[Grant], role: str, region: str, regions: Regions) -> bool:
    """Whether what let somebody handle cases of `role` in `region` was taken away, and nothing else lets him."""
    return may(taken, "handle", role, region, regions) and not may(held, "handle", role, region, regions)


def sees(actor: Actor, role: str, region: str, assignee: int | None, regions: Regions) -> bool:
    """Whether a case of this role and region, in the hands of `assignee`, is one that the actor may see."""
    own = actor.officer_id is not None and actor.officer_id == assignee
    return own or may(actor.grants, "see", role, region, regions)


def concerns(actor: Actor, regions_named: Collection[str], regions: Regions) -> bool:
    """Whether something about these regions (none: the whole province) is for an actor who answers for some of it.

    That is where a region is his own, contains it, or lies in it.
    """
    held = {grant.region for grant in actor.grants}
    if not regions_named:
        return bool(held)
    return any(
        covers(own, code, regions) or covers(code, own, regions) for own in held for code in regions_named
    )


def covers(above: str, below: str, regions: Regions) -> bool:
    """Whether a region is another one or contains it; what lies in no known region is the province's."""
    return above in path(below, regions)


def path(region: str, regions: Regions) -> tuple[str, ...]:
    """A region's code and those above it, up to the province; the province alone where it is unknown."""
    found: list[str] = []
    here = regions.get(region)
    while here is not None:
        found.append(here.code)
        here = regions.get(here.parent)
    return tuple(found) or (regions.province.code,)


def below(region: str, regions: Regions) -> frozenset[str]:
    """A region's code and those of all regions in it."""
    return frozenset(each.code for each in regions.all if region in path(each.code, regions))


def _verbs(held: str, asked: str) -> frozenset[str]:
    special = _SPECIAL.get(held)
    if special is not None:
        return special
    return _OF_A_DUTY if held == asked else frozenset()
