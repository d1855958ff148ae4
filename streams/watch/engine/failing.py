"""Rules that fail on an item are set aside, one by one; the others go on.

A rule of one partition and timeline that ends in an error is judged there no more, until another version of it
comes into force: it would fail on the same record at each start, and take every other rule with it. What is set
aside is kept with the state, so a restart changes nothing: rows have gone by, and a rule that came back would
judge with a hole in them. Who is told may raise the error all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from streams.watch.declare.rule import Rule

Tell = Callable[[Rule, Exception], None]
"""Hears of a rule and of the error it ended in; raises it where nobody wants to go on without the rule."""


def ending(rule: Rule, error: Exception) -> None:
    """Raise it: a rule that is tried or replayed is the one that is asked for."""
    raise error


class Failing:
    """The rules of one lane that are set aside, each with its version."""

    def __init__(self, tell: Tell = ending, kept: Mapping[str, int] | None = None) -> None:
        """`kept`: what was set aside when the state was written."""
        self.rules: dict[str, int] = dict(kept or {})
        self._tell = tell

    def add(self, rule: Rule, error: Exception) -> None:
        """Set a rule aside for an error, told once; what is no fault of an item (memory) is raised."""
        if isinstance(error, MemoryError):
            raise error
        if self.holds(rule):
            return
        self.rules[rule.id] = rule.version
        self._tell(rule, error)

    def holds(self, rule: Rule) -> bool:
        """Whether this version of a rule is set aside."""
        return self.rules.get(rule.id) == rule.version

    def keep(self, rules: Iterable[Rule]) -> None:
        """Forget all that are not among the rules in force: other versions of them come in again."""
        known = {rule.id: rule.version for rule in rules}
        self.rules = {name: version for name, version in self.rules.items() if known.get(name) == version}
