"""The `simulate` block of a contract, read strictly: what cannot be is Misdeclared by file and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import time
from graphlib import CycleError, TopologicalSorter

from schemas.contract_model import Field
from schemas.declaration import Entry
from schemas.simulate.anomalies import About, read_planted
from schemas.simulate.frame import Frame, integer, number, share, span, spans
from schemas.simulate.makers import read_made
from schemas.simulate.model import (
    DAY,
    MONTH,
    SHAPES,
    By,
    Choice,
    Derived,
    Dirt,
    Made,
    Maker,
    Moment,
    Rate,
    Rhythm,
    Simulate,
    Split,
    Stage,
    Weights,
)
from schemas.simulate.rhythm import read_rhythm
from schemas.simulate.stages import read_stages
from schemas.simulate.subjects import read_subjects, read_weights
from schemas.template import Template, read_template, template_of

_OF_SHAPE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "reading": (("every",), ("at",)),
    "count": (("every",), ("at",)),
    "arrival": (("rate",), ()),
    "lifecycle": (("rate", "stage", "stages"), ()),
    "register": (("every",), ()),
}
_ALWAYS = ("subjects", "source", "weights", "rhythm", "split", "fields", "dirt", "anomalies")
_SOURCE_NAMES = ("city", "region")
_DIRT = 500
_MOST_A_DAY = 5_000
"""Mean of a subject and day: beside it there is room for what is planted; more subjects make more."""


def read_simulate(entry: Entry, frame: Frame) -> Simulate:
    """The whole block; `frame` is the contract around it."""
    shape = entry.mapping(["shape"])["shape"].text(tuple(SHAPES))
    required, more = _OF_SHAPE[shape]
    others = {key for keys in _OF_SHAPE.values() for part in keys for key in part} - {*required, *more}
    if other := next((key for key in entry.value if key in others), None):
        raise entry.at(other).wrong(f"is not for a {shape}: {SHAPES[shape]}")
    parts = entry.mapping(["shape", *required], [*more, *_ALWAYS])
    if shape == "register" and "rhythm" in parts:
        raise parts["rhythm"].wrong("is not for a register: its entities change at any time")
    frame = replace(frame, shape=shape)
    given = parts["fields"].mapping() if "fields" in parts else {}
    split_by = parts["split"].mapping() if "split" in parts else {}
    subjects = read_subjects(entry.at("subjects"), frame, {*given, *split_by})
    stages = read_stages(parts["stages"], parts["stage"], frame) if "stages" in parts else ()
    frame = replace(frame, stages=tuple(stage.name for stage in stages))
    stage_field = parts["stage"].text() if "stage" in parts else ""
    own = {frame.region_field, subjects.field, stage_field} - {""}
    split = _split(parts["split"], given, own, frame) if "split" in parts else None
    fields = _fields(entry.at("fields"), given, own, split, frame)
    _deadlines(entry, stages, fields)
    every = _every(parts["every"], shape) if "every" in parts else MONTH
    rate = _rate(parts["rate"]) if "rate" in parts else None
    about = About(subjects, {made.name: made for made in fields}, split, every, rate, stages)
    return Simulate(
        shape=shape,
        subjects=subjects,
        source=_source(entry.at("source"), frame),
        fields=fields,
        dirt=_dirt(entry.at("dirt"), frame, every if shape != "register" else 0),
        every=every,
        at=_at(parts["at"], every) if "at" in parts else 0,
        rate=rate,
        weights=read_weights(parts["weights"]) if "weights" in parts else Weights(),
        rhythm=read_rhythm(parts["rhythm"]) if "rhythm" in parts else Rhythm(),
        split=split,
        stage_field=stage_field,
        stages=stages,
        anomalies=tuple(read_planted(item, frame, about) for item in parts["anomalies"].items())
        if "anomalies" in parts
        else (),
    )


def _deadlines(entry: Entry, stages: tuple[Stage, ...], fields: tuple[Made, ...]) -> None:
    for stage in stages:
        if isinstance(stage.deadline, str) and stage.deadline not in {made.name for made in fields}:
            raise (
                entry.at("fields").at(stage.deadline).wrong(f"must be given: {stage.name} has it as deadline")
            )


def _fields(
    entry: Entry, given: Mapping[str, Entry], own: set[str], split: Split | None, frame: Frame
) -> tuple[Made, ...]:
    """Every field that is made, in an order in which each follows those it depends on."""
    made: dict[str, Made] = {}
    split_own = {each.name for of in split.of.values() for each in of} if split else set()
    for name, item in given.items():
        field = frame.field(item, name)
        if name in own or (split and name == split.field):
            raise item.wrong("follows from subjects, split or stage; leave it out")
        if name not in split_own:
            made[name] = read_made(item, field, frame)
    for name, field in frame.fields.items():
        if field.required and name not in {*made, *own, *split_own} and not (split and name == split.field):
            made[name] = Made(name, _default(Entry(entry.where, f"{entry.key}.{name}", None), field))
    return _ordered(entry, made)


def _default(entry: Entry, field: Field) -> Maker:
    """What a required field is where nothing is said of it: any of its values, or when the event is."""
    if field.enum:
        return Choice(field.enum, (1.0,) * len(field.enum))
    if field.kind == "boolean":
        return Choice((True, False), (1.0, 1.0))
    if field.kind in ("date", "timestamp"):
        return Moment(first=False, shift=(0.0, 0.0), day=field.kind == "date")
    such = '{text: "{tag}-{region}-{serial}"}' if field.kind == "string" else "{mean: 35, spread: 0.3}"
    raise entry.wrong(f"must be given, as the contract requires it, such as {such}")


def _ordered(entry: Entry, made: Mapping[str, Made]) -> tuple[Made, ...]:
    needs = {name: _needs(each) & made.keys() for name, each in made.items()}
    try:
        return tuple(made[name] for name in TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise entry.wrong(f"{', '.join(error.args[1][1:])} follow from each other in a circle") from None


def _needs(made: Made) -> set[str]:
    makers = [made.maker, *([made.missed] if made.missed else [])]
    return {name for maker in makers for name in needs(maker)}


def needs(maker: Maker) -> set[str]:
    """The fields that a maker looks at."""
    if isinstance(maker, Derived):
        return {maker.of}
    if isinstance(maker, By):
        return {maker.field, *(name for each in maker.of.values() for name in needs(each))}
    return set()


def _split(entry: Entry, given: Mapping[str, Entry], own: set[str], frame: Frame) -> Split:
    """`{disease: {influenza: {cases: {mean: 2.6}}}}`, or a list of values that differ in nothing."""
    parts = entry.mapping()
    if len(parts) != 1:
        raise entry.wrong("must hold one field, whose values have a series each")
    name, item = next(iter(parts.items()))
    field = frame.field(item, name)
    if name in own:
        raise item.wrong("follows from subjects or stage already; split another field")
    values = dict.fromkeys(item.texts()) if isinstance(item.value, list) else item.value
    of = {}
    for value, more in Entry(item.where, item.key, values).mapping([], field.enum or None).items():
        makers = more.mapping() if more.value is not None else {}
        of[value] = tuple(_merged(more, key, each, given, frame) for key, each in makers.items())
    if len(of) < 2 or len({frozenset(made.name for made in each) for each in of.values()}) > 1:
        raise item.wrong("must hold two or more values, each of which says something of the same fields")
    return Split(name, of)


def _merged(more: Entry, key: str, entry: Entry, given: Mapping[str, Entry], frame: Frame) -> Made:
    """How a field is made for one value of the split: what `fields` says, and this over it."""
    field = frame.field(entry, key)
    base = given[key].value if key in given else {}
    if isinstance(base, dict) and isinstance(entry.value, dict):
        entry = Entry(entry.where, entry.key, {**base, **entry.value})
    made = read_made(entry, field, frame)
    if _needs(made):
        raise entry.wrong("must not follow from another field; say that under fields")
    return made


def _every(entry: Entry, shape: str) -> int:
    if entry.value == "month" and shape != "register":
        return MONTH
    found = int(span(entry, 60))
    if shape != "register" and DAY % found and found % DAY:
        raise entry.wrong("must divide a day, be whole days, or be month")
    return found


def _at(entry: Entry, every: int) -> int:
    if every and every % DAY:
        raise entry.wrong("is for what comes once in whole days or a month")
    try:
        found = time.fromisoformat(entry.text())
    except ValueError:
        raise entry.wrong('must be a time of day in quotes, such as "18:00"') from None
    return found.hour * 3_600 + found.minute * 60 + found.second


def _rate(entry: Entry) -> Rate:
    if not isinstance(entry.value, dict):
        return Rate(number(entry, 0, _MOST_A_DAY))
    parts = entry.mapping(["mean"], ["own", "most"])
    return Rate(
        number(parts["mean"], 0, _MOST_A_DAY),
        share(parts["own"]) if "own" in parts else 0.0,
        integer(parts["most"], 1, 100_000) if "most" in parts else None,
    )


def _source(entry: Entry, frame: Frame) -> Template:
    if entry.value is None:
        return template_of("/{city}/" + frame.feed.replace(".", "/"))
    return read_template(entry, _SOURCE_NAMES, "name")


def _dirt(entry: Entry, frame: Frame, every: int) -> Dirt:
    """One line in 500; duplicates come well within the contract's lateness, late lines well beyond it."""
    parts = entry.mapping([], ["every", "duplicate", "late", "supplement"]) if entry.value is not None else {}
    lateness = frame.lateness.total_seconds()
    duplicate = (min(60.0, lateness / 2), lateness * 0.75)
    late = (max(2.5 * lateness, lateness + 2 * every, 60.0), max(5 * lateness, lateness + 4 * every, 120.0))
    found = Dirt(
        every=integer(parts["every"], 2, 10**9) if "every" in parts else _DIRT,
        duplicate=spans(parts["duplicate"]) if "duplicate" in parts else duplicate,
        late=spans(parts["late"]) if "late" in parts else late,
        supplement=tuple(
            read_made(item, frame.field(item, name), frame)
            for name, item in (parts["supplement"].mapping() if "supplement" in parts else {}).items()
        ),
    )
    if found.duplicate[1] > lateness:
        raise parts["duplicate"].wrong(f"must stay within the contract's lateness, {lateness:g} seconds")
    if found.late[0] <= 1.5 * lateness:
        raise parts["late"].wrong(
            f"must be more than 1.5 times the contract's lateness, {lateness:g} seconds"
        )
    return found
