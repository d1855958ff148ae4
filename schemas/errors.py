"""Errors are named for what the caller does about them.

LiaowangError
├── Misdeclared   a declaration (contract, rule, indicator, setting) is wrong: refuse to start
├── Rejected      an event is wrong: dead letter with its reason
├── Unavailable   a peer is away: retry with back-off
└── GateFailed    quality is not enough: do not publish
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class LiaowangError(Exception):
    """Any error of the platform that a caller is expected to handle."""


class Misdeclared(LiaowangError):
    """A declaration is wrong; names the file, the key and what would be right."""

    def __init__(self, where: str, key: str, problem: str) -> None:
        super().__init__(f"{where}: {key}: {problem}")
        self.where, self.key, self.problem = where, key, problem

    def __reduce__(self) -> tuple[type[Misdeclared], tuple[Any, ...]]:
        return Misdeclared, (self.where, self.key, self.problem)


class SeveralMisdeclared(Misdeclared):
    """Several things are wrong: each in a line of its own; of all that is wrong in the first SHOWN files."""

    SHOWN = 10

    def __init__(self, errors: Sequence[Misdeclared]) -> None:
        first = errors[0]
        super().__init__(first.where, first.key, first.problem)
        self.errors = tuple(errors)
        files = list(dict.fromkeys(each.where for each in errors))
        shown = [each for each in errors if each.where in files[: self.SHOWN]]
        more, left = len(errors) - len(shown), len(files) - self.SHOWN
        lines = [*map(str, shown), *([f"and {more} more, in {left} other files"] if more > 0 else [])]
        self.args = ("\n".join(lines),)

    def __reduce__(self) -> tuple[type[Misdeclared], tuple[Any, ...]]:
        return SeveralMisdeclared, (self.errors,)


def faults_of(error: Misdeclared) -> tuple[Misdeclared, ...]:
    """What an error says, one by one."""
    return error.errors if isinstance(error, SeveralMisdeclared) else (error,)


def together(errors: Iterable[Misdeclared]) -> Misdeclared:
    """One error that says all of these (one or more), none of them twice."""
    flat = [one for each in errors for one in faults_of(each)]
    known = list({str(each): each for each in flat}.values())
    return known[0] if len(known) == 1 else SeveralMisdeclared(known)


class Rejected(LiaowangError):
    """An event breaks its contract; says which field, which rule and what value."""

    def __init__(self, field: str, rule: str, value: str) -> None:
        super().__init__(f"{field}: {rule}: {value}")
        self.field, self.rule, self.value = field, rule, value

    def __reduce__(self) -> tuple[type[Rejected], tuple[str, str, str]]:
        return Rejected, (self.field, self.rule, self.value)


class Unavailable(LiaowangError):
    """A peer (broker, warehouse, receiver) does not answer; the same call may succeed later."""


class GateFailed(LiaowangError):
    """The data did not pass its quality gate; nothing of it may be published."""
