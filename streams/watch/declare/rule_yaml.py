"""Reading a rule file: strictly, and with errors that name file, key and what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas import fields
from schemas.contract import Contract
from schemas.declaration import Entry, parse_yaml, read_text
from schemas.fields import MILLISECOND
from schemas.levels import BY_RANK, RANKS, RISING
from schemas.names import LONGEST_ID
from streams.watch.declare.calendar import WEEKDAYS, Maintenance, Quiet
from streams.watch.declare.rule import Example, Flapping, Rule
from streams.watch.declare.rule_form import CLOCK, FORMS, ID, OPTIONAL, REQUIRED, STEPS
from streams.watch.declare.spec import CompositeSpec, CorrelationSpec
from streams.watch.declare.spec_yaml import Read, Surroundings, milliseconds, read_condition
from streams.watch.declare.templates import keeps

_MANY_FEEDS = ("composite", "correlation")

MOST_WARNINGS = 1_000_000
"""A composite of more warnings than that is a slip of the pen."""


def read_rule(path: Path, contracts: Mapping[str, Contract], root: Path | None) -> Rule:
    """The rule in a file. Under `root` its id must be its place; elsewhere it is what the file says."""
    inside = root is not None and path.resolve().is_relative_to(root.resolve())
    where = f"{path.parent.name}/{path.name}" if inside else str(path)
    text = read_text(path, where)
    return parse_rule(text, where, contracts, f"{path.parent.name}.{path.stem}" if inside else "")


def parse_published(text: str, where: str, contracts: Mapping[str, Contract]) -> Rule:
    """The rule in a text that was published: what is asked of files since must not take it out of force."""
    return parse_rule(text, where, contracts, published=True)


def parse_rule(
    text: str, where: str, contracts: Mapping[str, Contract], expected: str = "", published: bool = False
) -> Rule:
    """The rule in a text, which stands at `where`; `expected` is the id it must have."""
    entry = parse_yaml(text, where, published)
    parts = entry.mapping(list(REQUIRED), list(OPTIONAL))
    for part in parts.values():
        _no_blanks(part)
    id = _id(parts["rule"], expected)
    around = Surroundings(
        id, contracts, _contract(entry, contracts), entry.at("subject"), entry.at("region"), entry.at("where"),
        published,
    )  # fmt: skip
    kind = parts["condition"].mapping(["kind"])["kind"].text(tuple(FORMS))
    if around.subject.value is None and kind != "composite":
        raise around.subject.wrong("must be given: the fields that name what is watched")
    read = read_condition(parts["condition"], around)
    bounds, dwells = _levels(parts["levels"], read, _dwell(entry.at("for"), kind))
    recovery, recovery_dwell = _recovery(entry.at("recovery"), read, bounds)
    titles = parts["title"].mapping(["zh", "en"], [])
    return Rule(
        id=id,
        version=_version(parts["version"]),
        feed=read.inputs[0].feed,
        title=titles["zh"].text(),
        title_en=titles["en"].text(),
        subject=read.inputs[0].subject,
        where=read.inputs[0].where,
        kind=read.kind,
        field=read.field,
        window=read.window,
        bounds=bounds,
        recovery=recovery,
        wait=_span(entry.at("wait")) // 1000,
        runbook=parts["runbook"].text(),
        duty_role=parts["duty_role"].text(),
        spec=read.spec,
        inputs=read.inputs,
        rekeyed=_rekeyed(read, contracts),
        below=read.below,
        dwell=dwells,
        keep_open=_span(entry.at("keep_open_for")),
        recovery_dwell=recovery_dwell,
        flapping=_flapping(entry.at("flapping")),
        quiet=tuple(_quiet(item) for item in _some(entry.at("quiet"))),
        maintenance=tuple(_maintenance(item) for item in _some(entry.at("maintenance"))),
        region=read.inputs[0].region,
        status=parts["status"].text(("active", "draft")) if "status" in parts else "active",
        examples=tuple(_example(item, contracts) for item in _list(entry.at("examples"))),
        text=text,
    )


def _id(entry: Entry, expected: str) -> str:
    found = entry.text()
    if expected and found != expected:
        raise entry.wrong(f"must be {expected}, as the file's place says")
    if not re.fullmatch(ID, found):
        raise entry.wrong(f"{found!r} must be <domain>.<rule> in lower case, digits and hyphens")
    if len(found) > LONGEST_ID:
        raise entry.wrong(f"has {len(found)} characters; there may be {LONGEST_ID}")
    return found


def _no_blanks(entry: Entry) -> None:
    """Refuse a key that stands there without a value: it may have been forgotten. Examples may have them."""
    if entry.value is None:
        raise entry.wrong("must have a value; an optional key may be left out")
    if entry.key in ("examples", "condition.parameters"):
        return
    inside = entry.value if isinstance(entry.value, dict) else {}
    for each in [*(entry.at(str(key)) for key in inside if isinstance(key, str)), *_each(entry)]:
        _no_blanks(each)


def _each(entry: Entry) -> tuple[Entry, ...]:
    return entry.items() if isinstance(entry.value, list) else ()


def _version(entry: Entry) -> int:
    if entry.integer() < 1:
        raise entry.wrong("must be 1 or more")
    return entry.integer()


def _contract(entry: Entry, contracts: Mapping[str, Contract]) -> Contract | None:
    feed = entry.at("feed")
    if feed.value is None:
        kind = entry.at("condition").at("kind").value
        if kind not in (*_MANY_FEEDS, "sequence"):
            raise feed.wrong(f"must be given; there are {', '.join(contracts)}")
        return None
    if feed.text() not in contracts:
        raise feed.wrong(f"no such feed; there are {', '.join(contracts)}")
    return contracts[feed.text()]


def _rekeyed(read: Read, contracts: Mapping[str, Contract]) -> bool:
    """Whether events of one record may lie in several partitions, so that they must be gathered first."""
    if isinstance(read.spec, CompositeSpec) or len({each.feed for each in read.inputs}) > 1:
        return True
    key = set(contracts[read.inputs[0].feed].subject)
    return any(not key <= {name for part in each.key for name in keeps(part)} for each in read.inputs)


def _levels(
    entry: Entry, read: Read, common: int
) -> tuple[tuple[tuple[int, float], ...], tuple[tuple[int, int], ...]]:
    """Bounds and dwells by rank, from the highest down; `common` is the rule's own dwell."""
    parts = entry.mapping([], RISING)
    if not parts:
        raise entry.wrong(f"must name at least one of {', '.join(RISING)}")
    bounds, dwells = [], []
    for rank in RANKS:
        item = parts.get(BY_RANK[rank])
        if item is None:
            continue
        whole = item.mapping(["threshold"], ["for"]) if isinstance(item.value, dict) else {"threshold": item}
        bounds.append((rank, _bound(whole["threshold"], read)))
        dwells.append((rank, _dwell(whole["for"], read.kind) if "for" in whole else common))
    values = [bound for _, bound in bounds]
    if values != sorted(set(values), reverse=not read.below):
        side = "below" if read.below else "above"
        raise entry.wrong(f"each level's bound must be {side} that of the level under it")
    return tuple(bounds), tuple(dwells)


def _bound(entry: Entry, read: Read) -> float:
    """A bound in the unit of the kind's value: a number, seconds, or how many members."""
    unit = FORMS[read.kind].bounds
    if unit == "duration":
        return milliseconds(entry) / 1000
    if unit == "number":
        return float(entry.number())
    members = len(read.spec.members) if isinstance(read.spec, CompositeSpec) else 0
    members = len(read.spec.legs) if isinstance(read.spec, CorrelationSpec) else members
    if isinstance(entry.value, str):
        return {"any": 1.0, "all": float(members)}[entry.text(("any", "all"))]
    most = (
        MOST_WARNINGS if isinstance(read.spec, CompositeSpec) and read.spec.count == "warnings" else members
    )
    if not 1 <= entry.integer() <= most:
        raise entry.wrong(f"must be any, all, or a whole number from 1 to {most}")
    return float(entry.integer())


def _dwell(entry: Entry, kind: str) -> int:
    if entry.value is None:
        return 0
    if FORMS[kind].bounds == "duration":
        raise entry.wrong(f"levels of the kind {kind} are durations themselves; leave it out")
    return _span(entry)


def _span(entry: Entry) -> int:
    """A duration in ms that may be nothing."""
    return entry.duration() // MILLISECOND if entry.value is not None else 0


def _recovery(entry: Entry, read: Read, bounds: tuple[tuple[int, float], ...]) -> tuple[float, int]:
    """The value an episode ends on the safe side of, and for how long, in ms."""
    lowest = bounds[-1][1]
    threshold, dwell = entry, 0
    if isinstance(entry.value, dict):
        parts = entry.mapping([], ["threshold", "for"])
        threshold, dwell = entry.at("threshold"), _span(entry.at("for"))
        if not parts:
            raise entry.wrong("must have threshold, for, or both")
    if threshold.value is None:
        return lowest, dwell
    if FORMS[read.kind].bounds == "duration":
        raise threshold.wrong(
            f"a warning of {read.kind} ends with the event it waits for; leave the threshold out"
        )
    recovery = float(threshold.number())
    if recovery < lowest if read.below else recovery > lowest:
        side = "below" if read.below else "above"
        raise threshold.wrong(f"must not be {side} the lowest level's bound, {lowest:g}")
    return recovery, dwell


def _flapping(entry: Entry) -> Flapping | None:
    if entry.value is None:
        return None
    parts = entry.mapping(["rises", "within"], [])
    if parts["rises"].integer() < 2:
        raise parts["rises"].wrong("must be 2 or more")
    return Flapping(parts["rises"].integer(), milliseconds(parts["within"]))


def _quiet(entry: Entry) -> Quiet:
    parts = entry.mapping(["from", "to"], ["days", "up_to"])
    days = parts["days"].texts() if "days" in parts else WEEKDAYS
    for day in days:
        if day not in WEEKDAYS:
            raise parts["days"].wrong(f"{day!r} must be one of {', '.join(WEEKDAYS)}")
    start, end = _clock(parts["from"]), _clock(parts["to"])
    if start == end:
        raise parts["to"].wrong("must be another time of day than `from`")
    rank = BY_RANK.index(parts["up_to"].text(RISING)) if "up_to" in parts else BY_RANK.index("orange")
    return Quiet(start, end, tuple(WEEKDAYS.index(day) for day in days), rank)


def _clock(entry: Entry) -> int:
    if not re.fullmatch(CLOCK, entry.text()):
        raise entry.wrong(f'{entry.value!r} must be a time of day in quotes, such as "22:00"')
    hours, minutes = map(int, entry.text().split(":"))
    return (hours * 60 + minutes) * 60_000


def _maintenance(entry: Entry) -> Maintenance:
    parts = entry.mapping(["from", "to"], ["subjects", "regions"])
    start, end = _moment(parts["from"]), _moment(parts["to"])
    if end <= start:
        raise parts["to"].wrong("must be later than `from`")
    subjects = parts["subjects"].texts() if "subjects" in parts else ()
    regions = parts["regions"].texts() if "regions" in parts else ()
    return Maintenance(start, end, subjects, regions)


def _moment(entry: Entry) -> int:
    """A moment in ms since the epoch."""
    try:
        found = datetime.fromisoformat(entry.text())
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise entry.wrong(
            f"{entry.value!r} must be ISO 8601 with an offset, such as 2026-03-01T09:00:00+08:00"
        )
    return fields.milliseconds(found)


def _list(entry: Entry) -> tuple[Entry, ...]:
    return entry.items() if entry.value is not None else ()


def _some(entry: Entry) -> tuple[Entry, ...]:
    """The entries of a list that may be left out, but not be empty."""
    found = _list(entry)
    if entry.value is not None and not found:
        raise entry.wrong("must list at least one; leave the key out where there is none")
    return found


def _example(entry: Entry, contracts: Mapping[str, Contract]) -> Example:
    parts = entry.mapping(["name", "events", "warns"], ["until", "baseline"])
    if "until" in parts:
        _moment(parts["until"])
    return Example(
        name=parts["name"].text(),
        events=tuple(_event(item, contracts) for item in parts["events"].items()),
        warns=tuple(_warns(item) for item in parts["warns"].items()),
        until=parts["until"].text() if "until" in parts else "",
        baseline=tuple(_row(item) for item in parts["baseline"].items()) if "baseline" in parts else (),
    )


def _event(entry: Entry, contracts: Mapping[str, Contract]) -> Mapping[str, Any]:
    parts = entry.mapping(["time", "data"], ["repeat", "every", "feed"])
    _moment(parts["time"])
    parts["data"].mapping()
    if "repeat" in parts and parts["repeat"].integer() < 1:
        raise parts["repeat"].wrong("must be 1 or more")
    if "every" in parts:
        parts["every"].duration()
    if "feed" in parts:
        parts["feed"].text(tuple(contracts))
    return {key: item.value for key, item in parts.items()}


def _warns(entry: Entry) -> tuple[str, str, str]:
    parts = entry.mapping(["subject", "kind"], ["level"])
    level = parts["level"].text(RISING) if "level" in parts else ""
    return parts["subject"].text(), parts["kind"].text(STEPS), level


def _row(entry: Entry) -> Mapping[str, Any]:
    return {key: item.value for key, item in entry.mapping().items()}
