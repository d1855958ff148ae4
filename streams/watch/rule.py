"""A rule: one YAML file that says when a subject is in danger, how badly, and what the officer does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.contract import Contract
from schemas.declaration import Entry, parse_yaml

RULES = Path(__file__).parent / "rules"

LEVELS = ("", "blue", "yellow", "orange", "red")
"""Warning levels by rank; rank 0 is no warning."""

KINDS = ("threshold", "count", "absence")
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Example:
    """Events a rule is tried on, and the transitions they must make: (subject, kind, level) in order.

    An event has `time` and `data`; with `repeat` (a number) it comes that often, `every` (ISO 8601) apart.
    `until` is the clock at the end, where silence matters.
    """

    name: str
    events: tuple[Mapping[str, Any], ...]
    warns: tuple[tuple[str, str, str], ...]
    until: str = ""


@dataclass(frozen=True)
class Rule:
    """One early-warning rule.

    `bounds` holds (rank, bound) from the highest rank down: a value for threshold and count, seconds of silence
    for absence. `recovery` ends an episode when the value falls below it. `window` is the length of a tumbling
    window in seconds (count only), aligned to the Unix epoch; `wait` keeps a window open for late events.
    """

    id: str
    version: int
    feed: str
    title: str
    title_en: str
    subject: tuple[str, ...]
    where: tuple[tuple[str, Scalar], ...]
    kind: str
    field: str
    window: int
    bounds: tuple[tuple[int, float], ...]
    recovery: float
    wait: int
    runbook: str
    duty_role: str
    examples: tuple[Example, ...] = ()

    @property
    def lowest(self) -> float:
        """The bound of the lowest declared level."""
        return self.bounds[-1][1]

    def rank(self, value: float) -> int:
        """The highest rank whose bound the value reaches; 0 where it reaches none."""
        for rank, bound in self.bounds:
            if value >= bound:
                return rank
        return 0

    def bound(self, rank: int) -> float:
        """The bound of a declared rank."""
        return dict(self.bounds)[rank]


def load_rules(contracts: Mapping[str, Contract], root: Path = RULES) -> tuple[Rule, ...]:
    """All rules under a folder, `<domain>/<rule>.yaml`, in order of their ids; a wrong one is Misdeclared."""
    return tuple(load_rule(path, contracts) for path in sorted(root.glob("*/*.yaml")))


def load_rule(path: Path, contracts: Mapping[str, Contract]) -> Rule:
    """The rule in one file; its id is its place, `<domain>.<name>`."""
    where = f"{path.parent.name}/{path.name}"
    entry = parse_yaml(path.read_text(encoding="utf-8"), where)
    parts = entry.mapping(
        ["rule", "version", "title", "feed", "subject", "condition", "levels", "runbook", "duty_role"],
        ["where", "recovery", "wait", "examples", "description"],
    )
    expected = f"{path.parent.name}.{path.stem}"
    if parts["rule"].text() != expected:
        raise parts["rule"].wrong(f"must be {expected}, as the file's place says")
    contract = contracts.get(parts["feed"].text())
    if contract is None:
        raise parts["feed"].wrong(f"no such feed; there are {', '.join(contracts)}")
    titles = parts["title"].mapping(["zh", "en"], [])
    condition = parts["condition"].mapping(["kind"], ["field", "window"])
    kind = condition["kind"].text(KINDS)
    wait = _seconds(parts["wait"]) if "wait" in parts else 0
    if wait and kind != "count":
        raise parts["wait"].wrong("only a count can wait for late events; leave it out")
    bounds = _bounds(parts["levels"], kind)
    return Rule(
        id=expected,
        version=parts["version"].integer(),
        feed=contract.feed,
        title=titles["zh"].text(),
        title_en=titles["en"].text(),
        subject=_subject(parts["subject"], contract),
        where=_where(parts["where"], contract) if "where" in parts else (),
        kind=kind,
        field=_field(entry.at("condition").at("field"), kind, contract),
        window=_window(entry.at("condition").at("window"), kind),
        bounds=bounds,
        recovery=_recovery(entry.at("recovery"), kind, bounds),
        wait=wait,
        runbook=parts["runbook"].text(),
        duty_role=parts["duty_role"].text(),
        examples=tuple(_example(item) for item in (parts["examples"].items() if "examples" in parts else ())),
    )


def _seconds(entry: Entry) -> int:
    return int(entry.duration() / timedelta(seconds=1))


def _subject(entry: Entry, contract: Contract) -> tuple[str, ...]:
    names = entry.texts()
    known = [field.name for field in contract.fields]
    for name in names:
        if name not in known:
            raise entry.wrong(f"the feed has no field {name!r}; there are {', '.join(known)}")
    if not set(contract.subject) <= set(names):
        raise entry.wrong(f"must contain the feed's own key: {', '.join(contract.subject)}")
    return names


def _where(entry: Entry, contract: Contract) -> tuple[tuple[str, Scalar], ...]:
    fields = {field.name: field for field in contract.fields}
    found = []
    for name, item in entry.mapping().items():
        if name not in fields:
            raise item.wrong(f"the feed has no such field; there are {', '.join(fields)}")
        if not isinstance(item.value, str | int | float | bool):
            raise item.wrong("must be a text, number or truth value")
        enum = fields[name].enum
        if enum and item.value not in enum:
            raise item.wrong(f"{item.value!r} must be one of {', '.join(map(str, enum))}")
        found.append((name, item.value))
    return tuple(found)


def _field(entry: Entry, kind: str, contract: Contract) -> str:
    if kind != "threshold":
        if entry.value is not None:
            raise entry.wrong(f"a {kind} condition looks at no field; leave it out")
        return ""
    numeric = [field.name for field in contract.fields if field.kind in ("integer", "number")]
    return entry.text(numeric)


def _window(entry: Entry, kind: str) -> int:
    if kind == "count":
        seconds = _seconds(entry)
        if seconds <= 0:
            raise entry.wrong("must be longer than nothing, such as PT1H")
        return seconds
    if entry.value is not None:
        raise entry.wrong(f"a {kind} condition has no window; leave it out")
    return 0


def _bounds(entry: Entry, kind: str) -> tuple[tuple[int, float], ...]:
    parts = entry.mapping([], LEVELS[1:])
    if not parts:
        raise entry.wrong(f"must name at least one of {', '.join(LEVELS[1:])}")
    read = _seconds if kind == "absence" else Entry.number
    bounds = tuple((rank, float(read(parts[name]))) for rank, name in _ranks() if name in parts)
    values = [bound for _, bound in bounds]
    if values != sorted(set(values), reverse=True):
        raise entry.wrong("each level's bound must be above that of the level below it")
    return bounds


def _ranks() -> list[tuple[int, str]]:
    return [(rank, LEVELS[rank]) for rank in range(len(LEVELS) - 1, 0, -1)]


def _recovery(entry: Entry, kind: str, bounds: tuple[tuple[int, float], ...]) -> float:
    lowest = bounds[-1][1]
    if kind == "absence":
        if entry.value is not None:
            raise entry.wrong("an absence ends when the subject reports again; leave it out")
        return lowest
    if entry.value is None:
        return lowest
    recovery = float(entry.number())
    if recovery > lowest:
        raise entry.wrong(f"must not be above the lowest level's bound, {lowest:g}")
    return recovery


def _example(entry: Entry) -> Example:
    parts = entry.mapping(["name", "events", "warns"], ["until"])
    events = tuple(item.mapping(["time", "data"], ["repeat", "every"]) for item in parts["events"].items())
    warns = []
    for item in parts["warns"].items():
        said = item.mapping(["subject", "kind"], ["level"])
        level = said["level"].text(LEVELS[1:]) if "level" in said else ""
        warns.append((said["subject"].text(), said["kind"].text(), level))
    return Example(
        name=parts["name"].text(),
        events=tuple({key: item.value for key, item in event.items()} for event in events),
        warns=tuple(warns),
        until=parts["until"].text() if "until" in parts else "",
    )
