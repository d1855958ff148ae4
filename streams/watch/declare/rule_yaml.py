"""Reading a rule file: strictly, and with all its errors, which name file, key and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.contract import Contract
from schemas.declaration import Entry, parse_yaml, read_text
from schemas.errors import Misdeclared, faults_of
from schemas.faults import Faults
from schemas.fields import milliseconds
from schemas.levels import BY_RANK, RANKS
from schemas.majors import named
from schemas.shapes import text as text_shape
from streams.watch.declare.calendar import WEEKDAYS, Maintenance, Quiet
from streams.watch.declare.rule import Example, Flapping, Rule
from streams.watch.declare.rule_form import ExampleForm, QuietForm, RuleForm, Span, waits
from streams.watch.declare.spec import CompositeSpec, CorrelationSpec, FieldSpec, Input, Spec
from streams.watch.declare.spec_yaml import Surroundings, read_condition
from streams.watch.declare.templates import keeps

MOST_WARNINGS = 1_000_000
"""A composite of more warnings than that is a slip of the pen."""
Bounds = tuple[tuple[int, float], ...]


def read_rule(path: Path, contracts: Mapping[str, Contract], root: Path | None) -> Rule:
    """The rule in a file. Under `root` its id must be its place; elsewhere it is what the file says."""
    inside = root is not None and path.resolve().is_relative_to(root.resolve())
    where = f"{path.parent.name}/{path.name}" if inside else str(path)
    text = read_text(path, where)
    return parse_rule(text, where, contracts, f"{path.parent.name}.{path.stem}" if inside else "")


def parse_published(text: str, where: str, contracts: Mapping[str, Contract]) -> Rule:
    """The rule in a text that was published: what is asked of files since must not take it out of force."""
    try:
        return parse_rule(text, where, contracts, published=True)
    except Misdeclared as error:  # it is told in one line, beside those of other rules
        raise faults_of(error)[0] from None


def parse_rule(
    text: str, where: str, contracts: Mapping[str, Contract], expected: str = "", published: bool = False
) -> Rule:
    """The rule in a text, which stands at `where`; `expected` is the id it must have."""
    form = _form(parse_yaml(text, where, published), expected, contracts)
    faults = Faults()
    if not published and form.description is not None:
        faults.of(text_shape().read, form.at("description"))
    around = Surroundings(
        form.rule, contracts, _contract(form, contracts), form.at("subject"), form.at("region"), form.at("where"),
        published,
    )  # fmt: skip
    if "subject" in form.condition.needs and not form.subject:
        faults.note(form.at("subject").wrong("must be given: the fields that name what is watched"))
    below = getattr(form.condition, "direction", "above") == "below"
    if not faults:
        with faults:
            spec, inputs = read_condition(form.condition, around)
    if not faults:
        with faults:
            bounds, dwells = _levels(form, spec, below)
    if not faults:
        with faults:
            recovery, recovery_dwell = _recovery(form, bounds[-1][1], below)
    quiet = faults.all(_quiet, form.quiet)
    maintenance = faults.all(_maintenance, form.maintenance)
    examples = faults.all(lambda each: _example(each, contracts), form.examples)
    faults.end()
    return Rule(
        id=form.rule,
        version=form.version,
        feed=inputs[0].feed,
        title=form.title.zh,
        title_en=form.title.en,
        subject=inputs[0].subject,
        where=inputs[0].where,
        kind=form.condition.kind,
        field=spec.field if isinstance(spec, FieldSpec) else "",
        window=getattr(form.condition, "window", 0) // 1000,
        bounds=bounds,
        recovery=recovery,
        wait=form.wait // 1000,
        runbook=form.runbook,
        duty_role=form.duty_role,
        spec=spec,
        inputs=inputs,
        rekeyed=_rekeyed(spec, inputs, contracts),
        below=below,
        dwell=dwells,
        keep_open=form.keep_open_for,
        recovery_dwell=recovery_dwell,
        flapping=Flapping(form.flapping.rises, form.flapping.within) if form.flapping else None,
        quiet=quiet,
        maintenance=maintenance,
        region=inputs[0].region,
        status=form.status,
        examples=examples,
        text=text,
    )


def _form(entry: Entry, expected: str, contracts: Mapping[str, Contract]) -> RuleForm:
    """The form of the whole rule; where that is wrong, it is told beside whether its feed is there."""
    faults, known = Faults(), RuleForm.keys.keys
    required = [each.name for each in known if each.required]
    for part in faults.parts(entry, required, [each.name for each in known if not each.required]).values():
        _no_blanks(part, faults)
    id, feed = entry.at("rule"), entry.at("feed")
    with faults:
        if expected and id.text() != expected:
            raise id.wrong(f"must be {expected}, as the file's place says")
    form = faults.of(RuleForm.read, entry)
    if faults and isinstance(feed.value, str) and feed.value.strip() and named(contracts, feed.value) is None:
        faults.note(feed.wrong(f"no such feed; there are {', '.join(contracts)}"))
    faults.end()
    return form


def _no_blanks(entry: Entry, faults: Faults) -> None:
    """Note a key that stands there without a value: it may have been forgotten. Examples may have them."""
    if entry.value is None:
        faults.note(entry.wrong("must have a value; an optional key may be left out"))
    if entry.key in ("examples", "condition.parameters"):
        return
    inside = entry.value if isinstance(entry.value, dict) else {}
    each_of = entry.items() if isinstance(entry.value, list) else ()
    for each in [*(entry.at(str(key)) for key in inside if isinstance(key, str)), *each_of]:
        _no_blanks(each, faults)


def _contract(form: RuleForm, contracts: Mapping[str, Contract]) -> Contract | None:
    if not form.feed:
        if "feed" in form.condition.needs:
            raise form.at("feed").wrong(f"must be given; there are {', '.join(contracts)}")
        return None
    contract = named(contracts, form.feed)
    if contract is None:
        raise form.at("feed").wrong(f"no such feed; there are {', '.join(contracts)}")
    return contract


def _rekeyed(spec: Spec, inputs: tuple[Input, ...], contracts: Mapping[str, Contract]) -> bool:
    """Whether events of one record may lie in several partitions, so that they must be gathered first."""
    if isinstance(spec, CompositeSpec) or len({each.feed for each in inputs}) > 1:
        return True
    key = set(contracts[inputs[0].feed].subject)
    return any(not key <= {name for part in each.key for name in keeps(part)} for each in inputs)


def _levels(form: RuleForm, spec: Spec, below: bool) -> tuple[Bounds, tuple[tuple[int, int], ...]]:
    """Bounds and dwells by rank, from the highest down; a level without a dwell has the rule's own."""
    bounds, dwells = [], []
    for rank in RANKS:
        level = form.levels.get(BY_RANK[rank])
        if level is None:
            continue
        entry = form.at("levels").at(BY_RANK[rank])
        whole = level if isinstance(level, dict) else {"threshold": level}
        bounds.append(
            (rank, _bound(whole["threshold"], entry.at("threshold") if level is whole else entry, form, spec))
        )
        dwells.append((rank, whole.get("for", form.for_)))
    values = [bound for _, bound in bounds]
    if values != sorted(set(values), reverse=not below):
        side = "below" if below else "above"
        raise form.at("levels").wrong(f"each level's bound must be {side} that of the level under it")
    return tuple(bounds), tuple(dwells)


def _bound(value: Any, entry: Entry, form: RuleForm, spec: Spec) -> float:
    """A bound in the unit of the kind's value: a number, seconds, or how many members."""
    if waits(form.condition.kind):
        return float(value / 1000)
    if not isinstance(spec, CompositeSpec | CorrelationSpec):
        return float(value)
    members = len(spec.members) if isinstance(spec, CompositeSpec) else len(spec.legs)
    if isinstance(value, str):
        return {"any": 1.0, "all": float(members)}[value]
    most = MOST_WARNINGS if isinstance(spec, CompositeSpec) and spec.count == "warnings" else members
    if not 1 <= entry.integer() <= most:
        raise entry.wrong(f"must be any, all, or a whole number from 1 to {most}")
    return float(entry.integer())


def _recovery(form: RuleForm, lowest: float, below: bool) -> tuple[float, int]:
    """The value an episode ends on the safe side of, and for how long, in ms."""
    given, entry = form.recovery, form.at("recovery")
    whole = given if isinstance(given, dict) else {} if given is None else {"threshold": given}
    recovery = whole.get("threshold", lowest)
    if recovery < lowest if below else recovery > lowest:
        side = "below" if below else "above"
        raise (entry.at("threshold") if whole is given else entry).wrong(
            f"must not be {side} the lowest level's bound, {lowest:g}"
        )
    return recovery, whole.get("for", 0)


def _quiet(form: QuietForm) -> Quiet:
    start, end = _clock(form.from_), _clock(form.to)
    if start == end:
        raise form.at("to").wrong("must be another time of day than `from`")
    return Quiet(start, end, tuple(map(WEEKDAYS.index, form.days)), BY_RANK.index(form.up_to))


def _clock(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    return (hours * 60 + minutes) * 60_000


def _maintenance(form: Span) -> Maintenance:
    start, end = milliseconds(form.from_), milliseconds(form.to)
    if end <= start:
        raise form.at("to").wrong("must be later than `from`")
    return Maintenance(start, end, form.subjects, form.regions)


def _example(form: ExampleForm, contracts: Mapping[str, Contract]) -> Example:
    for event in form.events:
        if event.feed and named(contracts, event.feed) is None:
            event.at("feed").text(tuple(contracts))
    return Example(
        name=form.name,
        events=tuple(dict(event.entry.value) for event in form.events),
        warns=tuple((each.subject, each.kind, each.level) for each in form.warns),
        until=form.at("until").value or "",
        baseline=form.baseline,
    )
