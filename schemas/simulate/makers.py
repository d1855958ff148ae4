"""How a field is made, read from its entry: a value stands for itself, anything else is a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from schemas.contract_model import Field
from schemas.declaration import Entry, meant
from schemas.simulate.frame import NAMES, Frame, fits, number, pair, share, span
from schemas.simulate.frame import integer as whole
from schemas.simulate.model import (
    REGULAR,
    Between,
    By,
    Choice,
    Constant,
    Derived,
    Made,
    Maker,
    Moment,
    Number,
    Pair,
    Season,
    Text,
)
from schemas.simulate.names import SAMPLE
from schemas.template import read_template

COMMON = ("stages", "chance", "missed")
NUMBER = ("spread", "deviation", "memory", "shared", "own", "season", "rhythm", "between", "digits")
STEADY = 0.999
"""The largest memory: with more a subject would never come back to its mean."""


def read_made(entry: Entry, field: Field, frame: Frame) -> Made:
    """How one field of the contract comes about."""
    if not isinstance(entry.value, dict):
        return Made(field.name, _maker(entry, field, frame))
    parts = {key: entry.at(key) for key in entry.value}
    rest = Entry(entry.where, entry.key, {key: v for key, v in entry.value.items() if key not in COMMON})
    lifecycle = frame.shape == "lifecycle"
    for key in ("stages", "missed"):
        if key in parts and not lifecycle:
            raise parts[key].wrong("is for a lifecycle, whose events have stages and deadlines")
    if field.required and (only := next((key for key in ("stages", "chance") if key in parts), None)):
        raise parts[only].wrong(f"{field.name} is required by the contract, so it is in every event")
    return Made(
        name=field.name,
        maker=_maker(rest, field, frame),
        stages=frozenset(item.text(frame.stages) for item in parts["stages"].items())
        if "stages" in parts
        else frozenset(),
        chance=share(parts["chance"]) if "chance" in parts else 1.0,
        missed=_maker(parts["missed"], field, frame) if "missed" in parts else None,
    )


def _maker(entry: Entry, field: Field, frame: Frame) -> Maker:
    if not isinstance(entry.value, dict):
        return Constant(fits(entry, entry.value, field))
    for key, (read, kinds, options) in _MAKERS.items():
        if key in entry.value:
            if field.kind not in kinds:
                raise entry.at(key).wrong(f"is for {', '.join(kinds)}; {field.name} is a {field.kind}")
            return read(entry.mapping([key], options), entry, field, frame)
    hint = next((said for key in entry.value if (said := meant(str(key), _MAKERS))), "")
    raise entry.wrong(f"must be a value, or have one of {', '.join(_MAKERS)}{hint}")


def _number(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    digits = _digits(parts, field)
    low, high = _bounds(parts, entry, field, digits)
    if "spread" in parts and "deviation" in parts:
        raise parts["deviation"].wrong("must not stand beside spread; keep one of them")
    poisson = frame.shape == "count" and field.kind == "integer" and "deviation" not in parts
    mean = number(parts["mean"], -1e12)
    if mean <= 0 and "deviation" not in parts:
        raise parts["mean"].wrong("must be above 0, or have a deviation instead of a spread")
    if not low <= mean <= high and not poisson:
        raise parts["mean"].wrong(f"must lie between {low:g} and {high:g}, the bounds of {field.name}")
    if "shared" in parts and frame.shape not in REGULAR:
        raise parts["shared"].wrong("is for a reading or a count, whose subjects report at one time")
    return Number(
        mean=mean,
        low=low,
        high=high,
        digits=digits,
        spread=number(parts["spread"], 0, 3) if "spread" in parts else 0.0,
        deviation=number(parts["deviation"]) if "deviation" in parts else 0.0,
        poisson=poisson,
        memory=number(parts["memory"], 0, STEADY) if "memory" in parts else 0.0,
        shared=share(parts["shared"]) if "shared" in parts else 0.0,
        own=share(parts["own"]) if "own" in parts else 0.0,
        season=read_season(parts["season"], relative="deviation" not in parts) if "season" in parts else None,
        rhythm=parts["rhythm"].flag() if "rhythm" in parts else True,
    )


def _bounds(parts: Mapping[str, Entry], entry: Entry, field: Field, digits: int) -> Pair:
    """The given bounds, or the contract's; no marker of missing values lies between them."""
    step = 10.0**-digits
    low = float("-inf") if field.minimum is None else field.minimum
    low = field.exclusive_minimum + step if field.exclusive_minimum is not None else low
    high = float("inf") if field.maximum is None else field.maximum
    if "between" in parts:
        given = pair(parts["between"])
        for bound in given:
            fits(parts["between"], int(bound) if field.kind == "integer" else bound, field)
        low, high = given
    while low in field.missing:
        low += step
    for marker in field.missing:
        if isinstance(marker, int | float) and low <= marker <= high:
            raise entry.at("between").wrong(
                f"{marker:g} marks a missing value of {field.name}; give bounds that leave it out"
            )
    return low, high


def _digits(parts: Mapping[str, Entry], field: Field) -> int:
    if "digits" in parts and field.kind == "integer":
        raise parts["digits"].wrong(f"is for numbers; {field.name} is an integer")
    default = 0 if field.kind == "integer" else 1
    return whole(parts["digits"], 0, 6) if "digits" in parts else default


def _between(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    digits = _digits(parts, field)
    return Between(*_bounds(parts, entry, field, digits), digits)


def _choice(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    values, weights = _weighted(parts["choice"], field)
    if "weights" in parts:
        given = [number(item) for item in parts["weights"].items()]
        if isinstance(parts["choice"].value, dict) or len(given) != len(values) or not any(given):
            raise parts["weights"].wrong("must be one number for each value of the list, not all 0")
        weights = tuple(given)
    if "moves" not in parts:
        return Choice(values, weights)
    if frame.shape != "register":
        raise parts["moves"].wrong("is for a register, whose entities change their state")
    moves = {}
    for key, item in parts["moves"].mapping().items():
        fits(item, key, field)
        moves[key] = Choice(*_weighted(item, field))
    return Choice(values, weights, moves)


def _weighted(entry: Entry, field: Field) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    """Values of a list, each as likely, or of a mapping to weights."""
    if isinstance(entry.value, dict):
        parts = entry.mapping()
        values: tuple[Any, ...] = tuple(fits(item, key, field) for key, item in parts.items())
        weights = tuple(number(item) for item in parts.values())
    else:
        values = tuple(fits(item, item.value, field) for item in entry.items())
        weights = (1.0,) * len(values)
    if not any(weights):
        raise entry.wrong("must hold one or more values, not all of weight 0")
    return values, weights


def _text(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    template = read_template(parts["text"], NAMES, "name")
    fits(parts["text"], template.render(SAMPLE), field)
    return Text(template)


def _moment(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    key = "time" if "time" in parts else "day"
    first = parts[key].text(["event", "first"]) == "first"
    if first and frame.shape != "lifecycle":
        raise parts[key].wrong("first is for a lifecycle, whose events have a first stage; say event")
    low, high = (0.0, 0.0)
    for sign, name in ((1, "after"), (-1, "before")):
        if name in parts:
            found = sorted(sign * span(item) for item in parts[name].items())
            if len(found) != 2 or ("after" in parts and "before" in parts):
                raise parts[name].wrong("must be two durations, such as [PT1H, P2D], and alone")
            low, high = found
    return Moment(first, (low, high), field.kind == "date")


def _derived(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    of = frame.field(parts["from"])
    if of.kind not in ("integer", "number"):
        raise parts["from"].wrong(f"{of.name} is a {of.kind}; what is derived follows from a number")
    if "table" in parts and ("times" in parts or "plus" in parts):
        raise parts["table"].wrong("must not stand beside times and plus; keep one of them")
    table = tuple((number(a, -1e12), number(b, -1e12)) for a, b in map(_point, _items(parts, "table")))
    if "table" in parts and (len(table) < 2 or [a for a, _ in table] != sorted({a for a, _ in table})):
        raise parts["table"].wrong("must be two or more points [from, to] in ascending order")
    digits = _digits(parts, field)
    low, high = _bounds(parts, entry, field, digits)
    return Derived(
        of=of.name,
        digits=digits,
        low=low,
        high=high,
        table=table,
        times=number(parts["times"], -1e12) if "times" in parts else 1.0,
        plus=number(parts["plus"], -1e12) if "plus" in parts else 0.0,
        up="round" in parts and parts["round"].text(["up", "nearest"]) == "up",
    )


def _items(parts: Mapping[str, Entry], key: str) -> tuple[Entry, ...]:
    return parts[key].items() if key in parts else ()


def _point(entry: Entry) -> tuple[Entry, Entry]:
    found = entry.items()
    if len(found) != 2:
        raise entry.wrong("must be two numbers, such as [35, 50]")
    return found[0], found[1]


def _by(parts: Mapping[str, Entry], entry: Entry, field: Field, frame: Frame) -> Maker:
    other = frame.field(parts["by"])
    if other.kind != "string" or not other.enum:
        raise parts["by"].wrong(f"{other.name} must be a field whose values the contract lists")
    if "of" not in parts:
        raise entry.at("of").wrong(f"must be given: a way for each of {', '.join(other.enum)}")
    of = parts["of"].mapping(other.enum, ())
    return By(other.name, {value: _maker(item, field, frame) for value, item in of.items()})


def read_season(entry: Entry, relative: bool = True) -> Season:
    """A yearly cycle with its peak, such as {swing: 0.4, peak: "01-15"}."""
    parts = entry.mapping(["swing", "peak"], ())
    try:
        peak = date.fromisoformat(f"2001-{parts['peak'].text()}").timetuple().tm_yday
    except ValueError:
        raise parts["peak"].wrong('must be a day of the year in quotes, such as "01-15"') from None
    return Season(number(parts["swing"], 0, 1 if relative else 1e12), peak)


Read = Callable[[Mapping[str, Entry], Entry, Field, Frame], Maker]
_NUMBERS = ("integer", "number")
_MAKERS: dict[str, tuple[Read, tuple[str, ...], tuple[str, ...]]] = {
    "mean": (_number, _NUMBERS, NUMBER),
    "between": (_between, _NUMBERS, ("digits",)),
    "choice": (_choice, ("string", *_NUMBERS, "boolean"), ("weights", "moves")),
    "text": (_text, ("string",), ()),
    "from": (_derived, _NUMBERS, ("table", "times", "plus", "round", "between", "digits")),
    "by": (_by, ("string", *_NUMBERS, "boolean", "date", "timestamp"), ("of",)),
    "time": (_moment, ("timestamp",), ("after", "before")),
    "day": (_moment, ("date",), ("after", "before")),
}
