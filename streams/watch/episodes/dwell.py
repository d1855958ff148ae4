"""From a value to a level: bounds, how long they must hold, how long a level stays, flapping and quiet hours.

Each level is a state machine of its own, as an alerting rule of Prometheus is: *pending* from the first evaluation
that reaches its bound until it has held for `for`; one that does not reach it resets it. A level that holds falls
once the value has been below for `keep_open_for` (its `keep_firing_for`). The lowest level stands for the episode:
it holds as soon as any does, and falls only when the value has been on the safe side of `recovery`, for the longer
of `keep_open_for` and the recovery's own `for`. The episode's level is the highest that holds. What damping alone
has kept from falling and rising again counts as a rise, so that it lasts as long as the flapping does.

Source: Prometheus 2.42, rules/alerting.go, AlertingRule.Eval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from streams.watch.declare.calendar import quiet_until
from streams.watch.declare.rule import Rule
from streams.watch.episodes.arithmetic import LARGEST, sound
from streams.watch.episodes.episode import DWELL, LEVEL, START, Details, Emit, Moment, Record, move

PENDING, HOLDS, FALLING, VALUE, RISES, QUIET = range(6)
"""A dwell: {rank: since} of pending levels, ranks that hold, {rank: since} of falling ones, the value last judged,
moments of the latest rises (for flapping), and when the quiet hours end that hold a rise back (0: none)."""

NO_DETAILS: Callable[[Record, int], Details] = lambda record, at: ()  # noqa: E731


class Judge:
    """One rule's way from values to transitions. Moments are event time in ms and must not go back."""

    def __init__(self, rule: Rule, details: Callable[[Record, int], Details] = NO_DETAILS) -> None:
        self._rule = rule
        self._sign = -1.0 if rule.below else 1.0
        self._bounds = tuple((rank, bound * self._sign) for rank, bound in rule.bounds)
        self._recovery = rule.recovery * self._sign
        self._bottom = rule.bounds[-1][0]
        self._for = dict(rule.dwell)
        self._details = details
        self.damped = rule.damped

    def judge(
        self,
        name: str,
        record: Record,
        value: float | None,
        at: int,
        now: Moment,
        emit: Emit,
        *,
        shown: float | None = None,
        rising: bool = False,
    ) -> None:
        """Evaluate a value at a moment and make the transition it calls for.

        None is no value, as is what is no number: no level holds. What is beyond a float is the largest there is.
        `shown` is told instead of the value. With `rising` the value can only grow from here on (a running count):
        it lifts levels and says nothing of the others.
        """
        if value is not None and not -LARGEST <= value <= LARGEST:
            value = sound(value)
        signed = -math.inf if value is None else value * self._sign
        told = value if shown is None else shown
        if record[LEVEL]:
            at = max(at, record[START])
        if not self.damped:
            self._move(name, record, self._level(signed, record[LEVEL], rising), told, at, now, emit)
            return
        dwell = record[DWELL]
        if dwell is None:
            if record[LEVEL] == 0 and signed < self._bounds[-1][1]:
                return
            dwell = record[DWELL] = _fresh(record[LEVEL], self._bounds)
        dwell[VALUE] = value
        since = self._evaluate(dwell, signed, at, rising)
        target = max(dwell[HOLDS], default=0)
        if not self._held_back(dwell, target, record[LEVEL], at):
            self._rise_noted(dwell, target, record[LEVEL], at)
            self._move(name, record, target, told, at, now, emit, since.get(target))
        if not (dwell[PENDING] or dwell[HOLDS] or self._recent(dwell, at)):
            record[DWELL] = None

    def due(self, record: Record) -> int | None:
        """When something is due without a new value: a dwell is over, or quiet hours are."""
        dwell = record[DWELL]
        if dwell is None:
            return None
        dues = [since + self._for.get(rank, 0) for rank, since in dwell[PENDING].items()]
        dues += [since + self._stays(rank, dwell, since) for rank, since in dwell[FALLING].items()]
        if dwell[QUIET]:
            dues.append(dwell[QUIET])
        if not dues and not dwell[HOLDS] and dwell[RISES]:
            dues.append(self._calm_at(dwell))
        return min(dues, default=None)

    def _level(self, signed: float, open_rank: int, rising: bool) -> int:
        """The level of a rule without dwells: hysteresis keeps the lowest one."""
        if rising and (open_rank or signed < self._bounds[-1][1]):
            return max([open_rank, *(rank for rank, bound in self._bounds if signed >= bound)])
        for rank, bound in self._bounds:
            if signed >= bound:
                return rank
        return self._bottom if open_rank and signed >= self._recovery else 0

    def _evaluate(self, dwell: list[Any], signed: float, at: int, rising: bool) -> dict[int, int]:
        """Advance every level's machine; gives since when those that hold now had been pending."""
        pending, holds, falling = dwell[PENDING], dwell[HOLDS], dwell[FALLING]
        since: dict[int, int] = {}
        for rank, bound in self._bounds:
            if signed >= bound:
                self._caught(dwell, rank, falling.pop(rank, None), at)
                if rank not in holds:
                    began = pending.setdefault(rank, at)
                    if at - began >= self._for.get(rank, 0):
                        since[rank] = pending.pop(rank)
                        holds.append(rank)
            elif not rising:
                pending.pop(rank, None)
                if rank in holds:
                    self._fall(dwell, rank, signed, at)
        if holds and self._bottom not in holds:
            pending.pop(self._bottom, None)
            holds.append(self._bottom)
            if signed < self._recovery and not rising:
                self._fall(dwell, self._bottom, signed, at)
        return since

    def _fall(self, dwell: list[Any], rank: int, signed: float, at: int) -> None:
        """A level that holds is below its bound: let it fall when it has been for long enough."""
        holds, falling = dwell[HOLDS], dwell[FALLING]
        if rank == self._bottom and signed >= self._recovery:
            falling.pop(rank, None)
            return
        began = falling.setdefault(rank, at)
        if at - began >= self._stays(rank, dwell, began):
            del falling[rank]
            holds.remove(rank)

    def _undamped(self, rank: int) -> int:
        """How long a level stays that does not flap."""
        return max(self._rule.keep_open, self._rule.recovery_dwell if rank == self._bottom else 0)

    def _stays(self, rank: int, dwell: list[Any], since: int) -> int:
        """How long a level stays when the value has not reached it since then."""
        stays = self._undamped(rank)
        flapping, rises = self._rule.flapping, dwell[RISES]
        if flapping is None or len(rises) < flapping.rises:
            return stays
        return max(stays, flapping.within) if rises[-flapping.rises] > since - flapping.within else stays

    def _held_back(self, dwell: list[Any], target: int, level: int, at: int) -> bool:
        """Whether quiet hours hold a rise back; they are looked at again when they end."""
        dwell[QUIET] = 0
        if target <= level or not self._rule.quiet:
            return False
        until = quiet_until(self._rule.quiet, at, target)
        dwell[QUIET] = until or 0
        return until is not None

    def _rise_noted(self, dwell: list[Any], target: int, level: int, at: int) -> None:
        flapping = self._rule.flapping
        if flapping is not None and target > level:
            dwell[RISES] = [*dwell[RISES], at][-flapping.rises :]

    def _caught(self, dwell: list[Any], rank: int, since: int | None, at: int) -> None:
        """A falling level is reached again: where damping alone has kept it, that is another rise."""
        flapping, rises = self._rule.flapping, dwell[RISES]
        if flapping is None or since is None or at - since <= self._undamped(rank):
            return
        if not rises or rises[-1] != at:
            dwell[RISES] = [*rises, at][-flapping.rises :]

    def _recent(self, dwell: list[Any], at: int) -> bool:
        """Whether rises still count towards flapping."""
        return bool(dwell[RISES]) and self._calm_at(dwell) > at

    def _calm_at(self, dwell: list[Any]) -> int:
        return int(dwell[RISES][-1]) + (self._rule.flapping.within if self._rule.flapping else 0)

    def _move(
        self,
        name: str,
        record: Record,
        target: int,
        value: float | None,
        at: int,
        now: Moment,
        emit: Emit,
        since: int | None = None,
    ) -> None:
        level = record[LEVEL]
        if target == level:
            return
        kind = (
            "opened"
            if not level
            else "recovered"
            if not target
            else "raised"
            if target > level
            else "lowered"
        )
        details = self._details(record, at)
        if since is not None and since < at:
            details = (*details, ("since", since))
        move(self._rule, name, record, kind, target, value, at, now, emit, details)


def _fresh(level: int, bounds: tuple[tuple[int, float], ...]) -> list[Any]:
    """The dwell of a record that has none: an open level holds, and so does the lowest."""
    declared = [rank for rank, _ in bounds]
    holds = [rank for rank in dict.fromkeys((level, declared[-1])) if rank in declared] if level else []
    return [{}, holds, {}, None, [], 0]
