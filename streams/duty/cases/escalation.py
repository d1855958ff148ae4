"""Escalation: what is due for a case that waits for somebody to take it. Pure.

What comes out is written down as notifications in the transaction that counts the steps.
A chain is resolved for one case first (`resolve`): each step knows its officer, or that nobody is there. A step
without an officer, or whose officer was told before, takes no time: the next one is due at once. The last step is
always the last resort.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schemas.regions import Regions
from streams.duty.accounts.rights import path
from streams.duty.rosters.roster import LAST_RESORT, Roster, Step

ASSIGNED, ESCALATED, HANDED = "assigned", "escalated", "handed"
REBUILT = "rebuilt"
"""The kind that asks for a case that is still open after the records of duty were lost (see `rebuilt.py`)."""
NOBODY_ELSE = "nobody_else"
"""What the audit says where a chain ends with steps whose officers knew already."""

Resolver = Callable[[str, str], str | None]
"""Role and region -> the login on duty, None where there is a hole."""


class Waiting(Protocol):
    """What the engine needs to know of a case: since when it waits (None: it does not), and its next step."""

    @property
    def waiting_since(self) -> datetime | None:
        """Since when nobody has taken it."""

    @property
    def step(self) -> int:
        """How many steps were taken."""


@dataclass(frozen=True)
class ResolvedStep:
    """One step of a chain, resolved for one case: `login` is None where nobody is there."""

    after: timedelta
    to: str
    login: str | None
    channels: tuple[str, ...]


@dataclass(frozen=True)
class NotificationRequest:
    """Somebody is to be told now: `step` counts from 0, `kind` is assigned, escalated or last_resort.

    `passed` are those whom steps before led to that were told already.
    """

    step: int
    kind: str
    login: str | None
    to: str
    channels: tuple[str, ...]
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """What is due: whom to tell, and how many steps are then done.

    `nobody_else`: the chain ended just now with steps that lead to nobody new; these knew already.
    """

    requests: tuple[NotificationRequest, ...]
    step: int
    nobody_else: tuple[str, ...] = ()


def next_steps(
    case: Waiting, chain: Sequence[ResolvedStep], now: datetime, told: Collection[str] = ()
) -> Due:
    """The notifications that are due for a case at `now`; none for one that does not wait.

    `told` are the logins that were told since it began to wait: nobody is told twice.
    """
    requests: list[NotificationRequest] = []
    knows, passed = set(told), list[str]()
    step, at_once = case.step, False
    while case.waiting_since is not None and step < len(chain):
        link, last = chain[step], step == len(chain) - 1
        if not at_once and now < case.waiting_since + link.after:
            break
        new = link.login is not None and link.login not in knows
        at_once = not new
        if new or (last and link.login is None):
            kind = LAST_RESORT if last else ESCALATED if step else ASSIGNED
            requests.append(
                NotificationRequest(step, kind, link.login, link.to, link.channels, tuple(passed))
            )
            passed.clear()
        if link.login is not None and not new:
            passed.append(link.login)
        if link.login is not None:
            knows.add(link.login)
        step += 1
    ended = case.step < len(chain) == step
    return Due(tuple(requests), step, tuple(dict.fromkeys(passed)) if ended else ())


def next_time(case: Waiting, afters: Sequence[timedelta]) -> datetime | None:
    """When the next step of a chain with these times is due; None where none is left or the case is taken."""
    if case.waiting_since is None or case.step >= len(afters):
        return None
    return case.waiting_since + afters[case.step]


def steps_of(roster: Roster, level: str) -> tuple[Step, ...]:
    """The chain of a level with the last resort at its end."""
    chain, last = roster.chains[level], roster.last_resort
    return (*chain, Step(chain[-1].after + last.after, LAST_RESORT, last.channels))


def resolve(
    steps: Sequence[Step], role: str, region: str, who: Resolver, last_resort: str | None, regions: Regions
) -> tuple[ResolvedStep, ...]:
    """The chain with an officer for each step of a case of this role and region."""
    return tuple(
        ResolvedStep(
            step.after, step.to, _login(step.to, role, region, who, last_resort, regions), step.channels
        )
        for step in steps
    )


def _login(
    to: str, role: str, region: str, who: Resolver, last_resort: str | None, regions: Regions
) -> str | None:
    kind, _, rest = to.partition(":")
    if to == LAST_RESORT:
        return last_resort
    if kind == "officer":
        return rest
    if kind == "role":
        return who(rest, region)
    return who(role, _place(to, region, regions))


def _place(to: str, region: str, regions: Regions) -> str:
    """The region a step looks in: the case's own, its city, or the province."""
    if to == "duty":
        return region
    if to == "province":
        return regions.province.code
    above = path(region, regions)
    return above[-2] if len(above) > 1 else above[0]
