"""Stages of a lifecycle, in their order; and how long one can take where nothing was planted."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.declaration import Entry
from schemas.simulate.frame import Frame, pair, share, span, spans
from schemas.simulate.model import DAY, Between, By, Choice, Constant, Made, Maker, Number, Stage

UNITS = {"h": 3_600.0, "d": float(DAY), "min": 60.0, "s": 1.0}
_KEYS = ("after", "deadline", "takes", "overdue", "overdue_takes", "chance", "ends")
_OF_DEADLINE = ("takes", "overdue", "overdue_takes")


def read_stages(entry: Entry, stage_field: Entry, frame: Frame) -> tuple[Stage, ...]:
    """The stages that a mapping lists; the first is the reception and has nothing said of it."""
    field = frame.field(stage_field)
    if field.kind != "string":
        raise stage_field.wrong(f"{field.name} must be a string that names the stage")
    parts = entry.mapping([], field.enum or None)
    if len(parts) < 2:
        raise entry.wrong("must hold two or more stages in their order, such as received: and handled:")
    first, *later = parts.items()
    if first[1].value not in (None, {}):
        raise first[1].wrong("is the first stage, at which things come in; nothing may be said of it")
    return (Stage(first[0]), *(_stage(name, item, frame) for name, item in later))


def _stage(name: str, entry: Entry, frame: Frame) -> Stage:
    parts = entry.mapping([], _KEYS)
    if ("after" in parts) == ("deadline" in parts):
        raise entry.wrong("must have either after: [PT30M, P2D] or a deadline with takes: [0.1, 0.9]")
    chance = share(parts["chance"]) if "chance" in parts else 1.0
    ends = "ends" in parts and parts["ends"].flag()
    if "after" in parts:
        if other := next((key for key in _OF_DEADLINE if key in parts), None):
            raise parts[other].wrong("is for a stage with a deadline")
        return Stage(name, after=spans(parts["after"]), chance=chance, ends=ends)
    if "takes" not in parts:
        raise entry.at("takes").wrong(
            "must be given: the shares of the deadline it takes, such as [0.1, 0.9]"
        )
    deadline, unit = _deadline(parts["deadline"], frame)
    return Stage(
        name,
        deadline=deadline,
        unit=unit,
        takes=pair(parts["takes"], 0.0, 1.0),
        overdue=share(parts["overdue"]) if "overdue" in parts else 0.0,
        overdue_takes=pair(parts["overdue_takes"], 1.0, 100.0)
        if "overdue_takes" in parts
        else Stage.overdue_takes,
        chance=chance,
        ends=ends,
    )


def _deadline(entry: Entry, frame: Frame) -> tuple[str | float, float]:
    """A duration from the first stage on, or a field that holds how many hours or days there are."""
    if entry.text().startswith("P"):
        return span(entry, 1.0), 1.0
    field = frame.field(entry)
    if field.unit not in UNITS or field.kind not in ("integer", "number"):
        raise entry.wrong(f"{field.name} must be a number whose unit is one of {', '.join(UNITS)}")
    return field.name, UNITS[field.unit]


def longest(stages: tuple[Stage, ...], name: str, fields: Mapping[str, Made]) -> float:
    """Seconds after the first stage at which an ordinary thing has reached this one at the latest."""
    found = 0.0
    for stage in stages[1:]:
        if stage.after is not None:
            found += stage.after[1]
        else:
            most = stage.overdue_takes[1] if stage.overdue else stage.takes[1]
            each = (
                stage.deadline if isinstance(stage.deadline, float) else largest(fields[stage.deadline].maker)
            )
            found = max(found + 1, each * stage.unit * most)
        if stage.name == name:
            return found
    raise KeyError(name)


def largest(maker: Maker) -> float:
    """The largest number a maker can make."""
    if isinstance(maker, Constant):
        return float(maker.value)
    if isinstance(maker, Choice):
        return max(map(float, maker.values))
    if isinstance(maker, Between | Number):
        return maker.high
    if isinstance(maker, By):
        return max(map(largest, maker.of.values()))
    return float("inf")
