"""Parameters of the methods: declared once as dataclass fields, read from a command line or a rule file.

Names are matched without regard to case and underscores: `min_sigma`, `minSigma` and `MINSIGMA` are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, TypeVar, cast

from schemas.errors import Misdeclared

M = TypeVar("M")
Kind = Literal["whole number", "number", "yes or no", "word", "numbers"]


@dataclass(frozen=True)
class Option:
    """One parameter: what it means and which values are right.

    `least` and `most` are allowed themselves, `above` and `below` are not. `words` are the words allowed (beside
    a number, where the kind is a number). `unset` is what None, the default, means.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    unset: str = ""
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    words: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def right(self) -> str:
        """What would be right, in words."""
        if self.kind == "word":
            return "one of " + ", ".join(self.words)
        if self.kind == "yes or no":
            return "true or false"
        if self.kind == "numbers":
            return "two whole numbers, such as 5,4 (at least 0 cases in at least 1 point)"
        bounds = [
            f"{word} {value:g}"
            for word, value in (
                ("at least", self.least), ("at most", self.most), ("above", self.above), ("below", self.below),
            )
            if math.isfinite(value)
        ]  # fmt: skip
        said = " ".join([f"a {self.kind}", " and ".join(bounds)]).strip()
        return f"{said}, or {' or '.join(self.words)}" if self.words else said

    def read(self, value: Any) -> Any:
        """The value in its type; ValueError where it is not right."""
        if self.kind == "word" or (self.words and str(value) in self.words):
            return _word(str(value), self.words)
        if self.kind == "yes or no":
            return _truth(value)
        if self.kind == "numbers":
            return _pair(value)
        number = _number(value)
        inside = self.least <= number <= self.most and self.above < number < self.below
        if not inside or (self.kind == "whole number" and number != int(number)):
            raise ValueError(self.right)
        return int(number) if self.kind == "whole number" else number


def option(default: Any, help: str, kind: Kind = "number", **rest: Any) -> Any:
    """A dataclass field that is a parameter; its name is the field's."""
    return field(default=default, metadata={"kind": kind, "help": help, **rest})


SURVEILLANCE, SAFE = "surveillance", "safe"
WHEN_MISSING: dict[str, Any] = {"kind": "word", "words": (SURVEILLANCE, SAFE)}
"""What the parameter `missing` may be: R surveillance's way, which the commands take, or the one rules take."""


def for_rules(method: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters a rule means: where it does not say, a missing point must not mute the points after it."""
    takes = any(each.name == "missing" for each in options(method))
    said = any(plain(name) == "missing" for name in given)
    return {**given, "missing": SAFE} if takes and not said else dict(given)


def options(method: type[Any]) -> tuple[Option, ...]:
    """The parameters a method takes, in the order of their declaration."""
    return tuple(_options(method))


def _options(method: type[Any]) -> Iterator[Option]:
    for each in fields(method):
        default = None if each.default is MISSING else each.default
        yield Option(name=each.name.rstrip("_"), default=default, **each.metadata)


def read(method: type[M], given: Mapping[str, Any], where: str) -> M:
    """A method with the parameters given; Misdeclared where a name or a value is wrong."""
    known = {plain(name): each for each in options(method) for name in (each.name, *each.also)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        each = known.get(plain(name))
        if each is None:
            raise Misdeclared(where, name, "no such parameter; there are " + ", ".join(_names(method)))
        if each.name in values:
            raise Misdeclared(where, name, f"{each.name} is given twice")
        try:
            values[each.name] = None if value is None and each.default is None else each.read(value)
        except ValueError:
            raise Misdeclared(where, name, f"must be {each.right}, not {value!r}") from None
    build = cast(Callable[..., M], method)
    found = build(**{_field(method, name): value for name, value in values.items()})
    for name, problem in getattr(found, "contradictions", tuple)():
        raise Misdeclared(where, name, problem)
    return found


def _names(method: type[Any]) -> list[str]:
    return [each.name for each in options(method)]


def _field(method: type[Any], name: str) -> str:
    return next(each.name for each in fields(method) if each.name.rstrip("_") == name)


def plain(name: str) -> str:
    """A name without regard to case, hyphens and underscores."""
    return name.replace("_", "").replace("-", "").lower()


def _word(value: str, words: tuple[str, ...]) -> str:
    for word in words:
        if plain(word) == plain(value):
            return word
    raise ValueError(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except OverflowError as error:
        raise ValueError(value) from error
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _truth(value: Any) -> bool:
    truth = {
        "true": True,
        "t": True,
        "yes": True,
        "1": True,
        "false": False,
        "f": False,
        "no": False,
        "0": False,
    }
    if str(value).lower() not in truth:
        raise ValueError(value)
    return truth[str(value).lower()]


def _pair(value: Any) -> tuple[int, int]:
    """Cases and points, as `5,4`, `[5, 4]` or `c(5, 4)`."""
    parts = list(value) if isinstance(value, list | tuple) else str(value).strip("c()[] ").split(",")
    if len(parts) != 2:
        raise ValueError(value)
    cases, points = (_number(part) for part in parts)
    if cases != int(cases) or points != int(points) or cases < 0 or points < 1:
        raise ValueError(value)
    return int(cases), int(points)
