"""The roster's values: teams with their shifts, chains of escalation, limits; and who has a shift when. Pure.

Times are of Asia/Shanghai, which has no daylight saving: local clocks and RRULEs need no further care.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from dateutil.rrule import rrule

from schemas.fields import SHANGHAI
from schemas.workdays import judge

DAYS = ("all", "workdays", "days_off")
LAST_RESORT = "last_resort"
BLOCK, MOST_BLOCKS = 32, 64
"""Days whose turns are worked out at a time, and how many such blocks a shift remembers."""
TO_MIDNIGHT = timedelta(days=1) - timedelta.resolution
ANY = "any"
"""The role of a team that answers for whatever role nobody else answers for."""


@dataclass(frozen=True)
class Occurrence:
    """One turn of a shift: from when to when, and whose it is by the roster."""

    team: str
    shift: str
    starts: datetime
    ends: datetime
    login: str
    handover: timedelta = timedelta()


@dataclass(frozen=True)
class Shift:
    """A recurring shift of a team: an RRULE, kept on all days, workdays or days off; officers in turn.

    The turn goes by the calendar: every `turn` days from the first day on it is the next officer's, so a
    holiday that is announced later moves nobody's turn.
    """

    shift: str
    first: datetime
    duration: timedelta
    rule: rrule = field(compare=False)
    rrule: str
    days: str
    officers: tuple[str, ...]
    turn: int
    handover: timedelta
    blocks: dict[int, tuple[datetime, ...]] = field(default_factory=dict, compare=False, repr=False)

    def within(
        self, team: str, start: datetime, end: datetime, calendar: Mapping[date, bool]
    ) -> Iterator[Occurrence]:
        """The turns that touch the span from `start` to before `end`, in order."""
        low, high = (each.astimezone(SHANGHAI).replace(tzinfo=None) for each in (start, end))
        for begin in self._begins(low - self.duration, high):
            touches = low - self.duration < begin < high
            if not touches or not self._kept(begin.date(), calendar):
                continue
            starts = begin.replace(tzinfo=SHANGHAI)
            login = self.officers[self._turn(begin.date())]
            yield Occurrence(team, self.shift, starts, starts + self.duration, login, self.handover)

    def _begins(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The beginnings from `low` to `high`, in order.

        A block of days is worked out once: an RRULE is followed from its first day on whenever it is asked,
        and in a burst each warning asks.
        """
        for number in range(low.toordinal() // BLOCK, high.toordinal() // BLOCK + 1):
            yield from (begin for begin in self._block(number) if low <= begin <= high)

    def _block(self, number: int) -> tuple[datetime, ...]:
        found = self.blocks.get(number)
        if found is None:
            first = datetime.fromordinal(max(1, number * BLOCK))
            last = datetime.fromordinal(min(date.max.toordinal(), number * BLOCK + BLOCK - 1)) + TO_MIDNIGHT
            found = tuple(self.rule.between(first, last, inc=True))
            if len(self.blocks) >= MOST_BLOCKS:
                self.blocks.clear()
            self.blocks[number] = found
        return found

    def _turn(self, day: date) -> int:
        return (day - self.first.date()).days // self.turn % len(self.officers)

    def _kept(self, day: date, calendar: Mapping[date, bool]) -> bool:
        return self.days == "all" or judge(day, calendar).workday == (self.days == "workdays")


@dataclass(frozen=True)
class Team:
    """Who answers for a role in a region; the first of its shifts that covers a moment counts."""

    team: str
    title: Mapping[str, str] = field(hash=False)
    role: str
    region: str
    shifts: tuple[Shift, ...] = field(hash=False)


@dataclass(frozen=True)
class Step:
    """One step of a chain: `after` the case was left waiting, `to` whom, by which channels."""

    after: timedelta
    to: str
    channels: tuple[str, ...]


@dataclass(frozen=True)
class LastResort:
    """Where a case ends that nobody takes: the first of `officers` who is active."""

    officers: tuple[str, ...]
    after: timedelta
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """How soon a case of a level is to be acknowledged, and closed."""

    acknowledge: timedelta
    close: timedelta


@dataclass(frozen=True)
class Roster:
    """All that is declared of who is on duty; `calendar` is day -> workday, beside the announcements."""

    teams: Mapping[str, Team]
    chains: Mapping[str, tuple[Step, ...]]
    last_resort: LastResort
    limits: Mapping[str, Limits]
    calendar: Mapping[date, bool]
    look_ahead: int
    path: Path

    def team_of(self, role: str, region: str) -> Team | None:
        """The team of a role in exactly this region."""
        return next(
            (each for each in self.teams.values() if (each.role, each.region) == (role, region)), None
        )

    def logins(self) -> frozenset[str]:
        """Everybody the roster names."""
        shifts = (login for team in self.teams.values() for shift in team.shifts for login in shift.officers)
        steps = (step.to for chain in self.chains.values() for step in chain)
        named = (to.removeprefix("officer:") for to in steps if to.startswith("officer:"))
        return frozenset((*shifts, *named, *self.last_resort.officers))
