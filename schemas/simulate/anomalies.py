"""Planted anomalies: of which kind, which rule they wake, and that ordinary values cannot wake it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.contract_model import Field
from schemas.declaration import Entry
from schemas.levels import RISING
from schemas.names import ID
from schemas.simulate.frame import Frame, fits, integer, number, span
from schemas.simulate.model import (
    DAY,
    RANDOM,
    REGULAR,
    Constant,
    Made,
    Number,
    Pair,
    Planted,
    Rate,
    Split,
    Stage,
    Subjects,
    Text,
)
from schemas.simulate.stages import longest

KINDS = {
    "spike": ("reading", "count", "arrival", "register"),
    "drop": ("reading", "count", "arrival", "register"),
    "silence": REGULAR,
    "burst": RANDOM,
    "overdue": ("lifecycle",),
}
_OPTIONS = {
    "spike": (("field", "ends"), ("lasts", "window")),
    "drop": (("field", "ends"), ("lasts", "window")),
    "silence": ((), ()),
    "burst": (("ends",), ("window", "hours")),
    "overdue": (("stage",), ()),
}
DURATIONS = ("silence", "overdue")
_ALWAYS = ("kind", "wakes", "per_month", "levels", "opens")


def read_planted(entry: Entry, frame: Frame, about: About) -> Planted:
    """One kind of anomaly; Misdeclared where ordinary values would wake its rule, or its own would not."""
    kind = entry.mapping(["kind"])["kind"].text(tuple(KINDS))
    if frame.shape not in KINDS[kind]:
        raise entry.at("kind").wrong(f"{kind} is for {', '.join(KINDS[kind])}; this is a {frame.shape}")
    required, more = _OPTIONS[kind]
    parts = entry.mapping([*_ALWAYS, *required], [*more, "subject", "where"])
    if not ID.fullmatch(parts["wakes"].text()):
        raise parts["wakes"].wrong("must be the id of a rule, such as ecology.pm25-high")
    timed = kind in DURATIONS
    found = Planted(
        wakes=parts["wakes"].text(),
        kind=kind,
        per_month=number(parts["per_month"], 0.01, 100_000),
        levels=_levels(parts["levels"], timed, falling=kind == "drop"),
        opens=span(parts["opens"], 1) if timed else number(parts["opens"], -1e12),
        ends=number(parts["ends"], -1e12) if "ends" in parts else 0.0,
        field=frame.field(parts["field"]).name if "field" in parts else "",
        stage=parts["stage"].text(frame.stages[1:]) if "stage" in parts else "",
        subject=_subject(entry.at("subject"), frame, about),
        where=_where(parts["where"], kind, frame, about) if "where" in parts else {},
        lasts=_lasts(parts["lasts"]) if "lasts" in parts else Planted.lasts,
        window=int(span(parts["window"], 60)) if "window" in parts else Planted.window,
        hours=_hours(parts["hours"]) if "hours" in parts else Planted.hours,
    )
    _CHECKS[kind](parts, found, frame, about)
    return found


class About:
    """What else the block says, against which its anomalies are checked."""

    def __init__(
        self,
        subjects: Subjects,
        fields: Mapping[str, Made],
        split: Split | None,
        every: int,
        rate: Rate | None,
        stages: tuple[Stage, ...],
    ) -> None:
        self.subjects, self.fields, self.split = subjects, fields, split
        self.every, self.rate, self.stages = every, rate, stages

    def alike(self, subject: tuple[str, ...]) -> int:
        """How many series the rule takes for one subject."""
        split = len(self.split.of) if self.split and self.split.field not in subject else 1
        field = self.subjects.field
        entities = max(self.subjects.count, len(self.subjects.named)) if field not in subject else 1
        return split * entities

    def makers(self, name: str) -> list[Made]:
        """Every way in which a field is made: one, or one for each value of the split."""
        split = [made for of in (self.split.of.values() if self.split else ()) for made in of]
        found = [made for made in split if made.name == name]
        return found or ([self.fields[name]] if name in self.fields else [])


def _levels(entry: Entry, timed: bool, falling: bool) -> dict[str, Pair]:
    """The size at each level from blue to red, each further out than the one before."""
    parts = entry.mapping([], RISING)
    if not parts:
        raise entry.wrong("must hold one or more of " + ", ".join(RISING))
    found: dict[str, Pair] = {}
    before: float | None = None
    for level in (level for level in RISING if level in parts):
        sizes = [span(item) if timed else number(item, -1e12) for item in parts[level].items()]
        if len(sizes) != 2 or sizes[0] > sizes[1]:
            raise parts[level].wrong("must be the least and the largest size, such as [122, 142]")
        near, far = (sizes[1], sizes[0]) if falling else (sizes[0], sizes[1])
        if before is not None and (near >= before if falling else near <= before):
            raise parts[level].wrong("must be further out than the level before it")
        before, found[level] = far, (sizes[0], sizes[1])
    return found


def _subject(entry: Entry, frame: Frame, about: About) -> tuple[str, ...]:
    """The fields by which the rule names its subject: those that tell the series apart, if not given."""
    own = about.subjects.field or frame.region_field
    split = (about.split.field,) if about.split else ()
    if entry.value is None:
        if not (own or split):
            raise entry.wrong("must be given: the fields by which the rule names its subject")
        return tuple(name for name in (own, *split) if name)
    names = entry.texts()
    for name in names:
        frame.field(entry, name)
        fixed = {about.subjects.field, frame.region_field, *split}
        made = about.fields.get(name)
        if name not in fixed and not (made and isinstance(made.maker, Text | Constant)):
            raise entry.wrong(
                f"{name} must be the same in all events of one subject: a region, an id or a text"
            )
    return names


def _where(entry: Entry, kind: str, frame: Frame, about: About) -> dict[str, Any]:
    """What all planted events have: it chooses the series where it is that of a series, else it is planted."""
    found = {}
    fixed = {about.subjects.field, frame.region_field, about.split.field if about.split else ""}
    for name, item in entry.mapping().items():
        field = frame.field(item, name)
        found[name] = fits(item, item.value, field)
        if name not in fixed and (kind == "silence" or name not in about.fields):
            raise item.wrong(
                f"{name} is no field by which series differ, nor one that is made for each event"
            )
    return found


def _lasts(entry: Entry) -> tuple[int, int]:
    items = entry.items()
    found = [integer(item, 1, 10_000) for item in items]
    if len(found) != 2 or found[0] > found[1]:
        raise entry.wrong("must be from how many to how many events, such as [1, 6]")
    return found[0], found[1]


def _hours(entry: Entry) -> tuple[int, int]:
    found = [integer(item, 0, 23) for item in entry.items()]
    if len(found) != 2 or found[0] > found[1]:
        raise entry.wrong("must be the first and the last hour of the day, such as [9, 15]")
    return found[0], found[1]


def _values(parts: Mapping[str, Entry], found: Planted, frame: Frame, about: About) -> None:
    """Ordinary values end an episode, planted ones open it, and the contract takes them."""
    if "window" in parts and frame.shape in REGULAR:
        raise parts["window"].wrong(f"is for shapes without fixed times; this is a {frame.shape}")
    field, sign = frame.fields[found.field], -1 if found.kind == "drop" else 1
    word = "below" if found.kind == "spike" else "above"
    makers = about.makers(found.field)
    if not makers or not all(isinstance(made.maker, Number) for made in makers):
        raise parts["field"].wrong(f"{found.field} must be made as a number with a mean")
    for made in makers:
        bound = made.maker.high if sign > 0 else made.maker.low  # type: ignore[union-attr]
        if not sign * bound < sign * found.ends:
            raise parts["ends"].wrong(
                f"ordinary values of {found.field} reach {bound:g}; they must stay {word}: set its between"
            )
    if sign * found.ends > sign * found.opens:
        raise parts["ends"].wrong(f"must not be beyond opens, {found.opens:g}")
    for level, sizes in found.levels.items():
        _size(parts["levels"].at(level), sizes, found, field)


def _size(entry: Entry, sizes: Pair, found: Planted, field: Field) -> None:
    """The values of one level open an episode, and the contract takes all that an episode goes through."""
    falling = found.kind == "drop"
    if sizes[1] > found.opens if falling else sizes[0] < found.opens:
        raise entry.wrong(f"does not reach opens, {found.opens:g}")
    low, high = min(sizes[0], found.ends), max(sizes[1], found.ends)
    least = field.minimum if field.exclusive_minimum is None else field.exclusive_minimum
    if (field.maximum is not None and high > field.maximum) or (least is not None and low < least):
        raise entry.wrong(f"is beyond what the contract allows of {field.name}")
    if any(low <= mark <= high for mark in field.missing if not isinstance(mark, str)):
        raise entry.wrong(f"holds a value that marks a missing {field.name}")
    if field.kind == "integer" and any(size % 1 for size in sizes):
        raise entry.wrong(f"must be whole numbers, as {field.name} is an integer")


def _silence(parts: Mapping[str, Entry], found: Planted, frame: Frame, about: About) -> None:
    usual = about.every or 31 * DAY
    if usual >= found.opens:
        raise parts["opens"].wrong("must be longer than the time between two ordinary events")
    for level, (least, most) in found.levels.items():
        if most // usual < -(-least // usual):
            raise parts["levels"].at(level).wrong("holds no whole number of the times between two events")
    _reach(parts, found)


def _burst(parts: Mapping[str, Entry], found: Planted, frame: Frame, about: About) -> None:
    most = about.rate.most if about.rate else None
    alike = about.alike(found.subject)
    if most is None or most * alike * max(1.0, found.window / 3_600) >= found.ends:
        raise parts["ends"].wrong("must be above what an ordinary window holds: give rate a lower most")
    if found.ends > found.opens:
        raise parts["ends"].wrong(f"must not be above opens, {found.opens:g}")
    if DAY % found.window:
        raise parts["window"].wrong("must divide a day")
    _reach(parts, found)


def _overdue(parts: Mapping[str, Entry], found: Planted, frame: Frame, about: About) -> None:
    if longest(about.stages, found.stage, about.fields) >= found.opens:
        raise parts["opens"].wrong(f"ordinary things take longer to reach {found.stage}: the rule would wake")
    names = [stage.name for stage in about.stages]
    before = about.stages[: names.index(found.stage)]
    if any(stage.ends for stage in before) or about.stages[len(before)].chance < 1:
        raise parts["stage"].wrong(
            f"{found.stage} may never come: it has a chance, or a stage before it ends all"
        )
    _reach(parts, found)


def _reach(parts: Mapping[str, Entry], found: Planted) -> None:
    for level, (least, _) in found.levels.items():
        if least < found.opens or (found.kind in DURATIONS and least == found.opens):
            raise parts["levels"].at(level).wrong("does not go beyond opens")


_CHECKS = {"spike": _values, "drop": _values, "silence": _silence, "burst": _burst, "overdue": _overdue}
