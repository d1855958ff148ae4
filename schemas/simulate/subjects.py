"""Whose events there are: each county or city, several entities in each, or named ones; and their weights."""

from __future__ import annotations

from collections.abc import Collection

from schemas.declaration import Entry, meant
from schemas.regions import Regions, load_regions
from schemas.simulate.frame import SUBJECT_NAMES, Frame, fits, number
from schemas.simulate.frame import integer as whole
from schemas.simulate.model import RANDOM, Subjects, Weights
from schemas.simulate.names import SAMPLE
from schemas.template import Template, read_template, template_of

LEVELS = ("county", "city", "province")
MOST = 1_000
"""Entities of one region."""


def read_subjects(entry: Entry, frame: Frame, made: Collection[str] = ()) -> Subjects:
    """The subjects of a feed; where nothing is said, each region of the finest level the contract takes.

    A field of the Kafka key of which nothing else is said (`made`) then holds the region's code, too.
    """
    if entry.value is None or isinstance(entry.value, str):
        level = next((level for level in LEVELS if level in frame.region_levels), "province")
        return Subjects(_level(entry, frame) if entry.value else level, field=_same(entry, frame, made))
    parts = entry.mapping([], ["each", "count", "field", "id", "named"])
    if ("each" in parts) == ("named" in parts):
        raise entry.wrong("must have either each: county (city, province) or named: {id: region}")
    field = _field(parts["field"] if "field" in parts else entry.at("field"), frame)
    if "named" in parts:
        return _named(parts, field, frame)
    level = _level(parts["each"], frame)
    count = whole(parts["count"], 1, MOST) if "count" in parts else 1
    id = _id(parts["id"] if "id" in parts else entry.at("id"), field, count, frame)
    return Subjects(level, count, field, id)


def _same(entry: Entry, frame: Frame, made: Collection[str]) -> str:
    """The one field of the Kafka key that can stand for the region; empty where there is none."""
    if frame.shape in RANDOM:
        return ""
    found = [
        name
        for name in frame.subject
        if name not in {frame.region_field, *made}
        and frame.fields[name].kind == "string"
        and not frame.fields[name].enum
    ]
    if len(found) != 1:
        return ""
    fits(entry, SAMPLE["region"], frame.fields[found[0]])
    return found[0]


def _level(entry: Entry, frame: Frame) -> str:
    level = entry.text(LEVELS)
    if frame.region_field and level not in frame.region_levels:
        raise entry.wrong(f"the contract takes regions of these levels: {', '.join(frame.region_levels)}")
    return level


def _field(entry: Entry, frame: Frame) -> str:
    """The field that holds an entity's id: the one of the Kafka key that is no region, if not given."""
    if entry.value is not None:
        return frame.field(entry).name
    found = [name for name in frame.subject if name != frame.region_field]
    if len(found) != 1:
        raise entry.wrong("must be given: the field that holds the id of an entity")
    return found[0]


def _id(entry: Entry, field: str, count: int, frame: Frame) -> Template:
    if entry.value is None:
        template = template_of("{region}-{n}" if count > 1 else "{region}")
    else:
        template = read_template(entry, SUBJECT_NAMES, "name")
    numbered = {"n", "letter"} & set(template.names)
    if count > 1 and not numbered:
        raise entry.wrong(f"must have {{n}} or {{letter}} in it, as there are {count} in a region")
    if "letter" in template.names and count > 26:
        raise entry.wrong(f"must have {{n}} instead of {{letter}}, as there are {count} in a region")
    fits(entry, template.render(SAMPLE), frame.fields[field])
    return template


def _named(parts: dict[str, Entry], field: str, frame: Frame) -> Subjects:
    regions = load_regions()
    named = {}
    for id, item in parts["named"].mapping().items():
        fits(item, id, frame.fields[field])
        named[id] = _code(item, item.text(), regions)
    if not named:
        raise parts["named"].wrong("must name one or more entities, each with its region")
    levels = {regions.get(code).level for code in named.values()}  # type: ignore[union-attr]
    if frame.region_field and (wrong := levels - set(frame.region_levels)):
        raise parts["named"].wrong(f"the contract takes no region of the level {', '.join(sorted(wrong))}")
    return Subjects("", field=field, named=named)


def _code(entry: Entry, code: str, regions: Regions) -> str:
    if regions.get(code) is None:
        raise entry.wrong(f"{code!r:.60} is no region's code; regions.csv has them")
    return code


def read_weights(entry: Entry) -> Weights:
    """By what the means and rates of regions are multiplied."""
    if isinstance(entry.value, str):
        entry.text(["population"])
        return Weights(population=True)
    parts = entry.mapping()
    regions = load_regions()
    named: dict[str, float] = {}
    for key, item in parts.items():
        if key not in ("population", "mountain"):
            if not key.isdecimal():
                known = ("population", "mountain")
                raise item.wrong(f"must be population, mountain or a region's code{meant(key, known)}")
            named[_code(item, key, regions)] = number(item, 0, 1_000)
    return Weights(
        population="population" in parts and parts["population"].flag(),
        mountain=number(parts["mountain"], 0, 1_000) if "mountain" in parts else 1.0,
        named=named,
    )
