"""Rules that fail on an item are set aside, one by one; the others go on.

A rule of one partition and timeline that ends in an error is judged there no more, until another version of it
comes into force or the worker starts again: it would fail on the same record at each start, and take every other
rule with it. Who is told may raise the error all the same: it does where no rule is left (`Watcher`).
"""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str, Exception], None]
"""Hears of a rule's id and of the error it ended in; raises it where nobody wants to go on without the rule."""


def ending(rule: str, error: Exception) -> None:
    """Raise it: a rule that is tried or replayed is the one that is asked for."""
    raise error


class Failing:
    """The rules of one lane that are set aside."""

    def __init__(self, tell: Tell = ending) -> None:
        self.rules: set[str] = set()
        self._tell = tell

    def add(self, rule: str, error: Exception) -> None:
        """Set a rule aside for an error; what is no fault of an item (memory) is raised."""
        if isinstance(error, MemoryError):
            raise error
        self.rules.add(rule)
        self._tell(rule, error)
