"""Reading the condition of a rule: what its kind needs, and which feeds it reads how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from schemas.contract import Contract
from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.fields import MILLISECOND
from schemas.levels import BY_RANK
from schemas.text import control
from schemas.topics import WARNING_FEED
from streams.watch.declare.rule_form import AGGREGATE_KEYS, FORMS
from streams.watch.declare.spec import (
    Aggregate,
    BaselineSpec,
    ChangeSpec,
    CompositeSpec,
    CorrelationSpec,
    FieldSpec,
    Input,
    Leg,
    Member,
    SequenceSpec,
    Spec,
    SurgeSpec,
    Where,
    WindowSpec,
)
from streams.watch.declare.templates import keeps, names, touch

DAY = 86_400_000
BACK = {"yesterday": DAY, "last-week": 7 * DAY}


@dataclass(frozen=True)
class Surroundings:
    """What the rest of the rule says that a condition needs: its id, feed, subject, region, where."""

    id: str
    contracts: Mapping[str, Contract]
    contract: Contract | None
    subject: Entry
    region: Entry
    where: Entry
    published: bool = False

    def feed(self, entry: Entry) -> Contract:
        """The contract of the feed an entry names; the rule's own where it names none."""
        if entry.value is None:
            if self.contract is None:
                raise entry.wrong(
                    f"must name a feed, or the rule must; there are {', '.join(self.contracts)}"
                )
            return self.contract
        found = self.contracts.get(entry.text())
        if found is None:
            raise entry.wrong(f"no such feed; there are {', '.join(self.contracts)}")
        return found


@dataclass(frozen=True)
class Read:
    """A condition as read: what its kind needs, and its inputs."""

    kind: str
    spec: Spec
    inputs: tuple[Input, ...]
    below: bool
    window: int = 0
    field: str = ""


def read_condition(entry: Entry, around: Surroundings) -> Read:
    """The condition of a rule; whatever is wrong with it is Misdeclared."""
    kind = entry.mapping(["kind"])["kind"].text(tuple(FORMS))
    form = FORMS[kind]
    parts = entry.mapping(["kind", *form.required], form.optional)
    below = "direction" in parts and parts["direction"].text(("above", "below")) == "below"
    spec, inputs = _READERS[kind](entry, around)
    field = spec.field if isinstance(spec, FieldSpec) else ""
    window = milliseconds(entry.at("window")) // 1000 if "window" in parts else 0
    return Read(kind, spec, inputs, below, window, field)


MONTH = "P1M"
LONGEST_MONTH = 31 * 86_400_000


def milliseconds(entry: Entry) -> int:
    """A duration in ms, longer than nothing."""
    found = entry.duration() // MILLISECOND
    if found <= 0:
        raise entry.wrong("must be longer than nothing, such as PT1H")
    return found


def templates(entry: Entry, contract: Contract, published: bool = False) -> tuple[str, ...]:
    """Templates over a feed's fields, one text or a list of them; of published ones holes may touch."""
    found = (entry.text(),) if isinstance(entry.value, str) else entry.texts()
    for template in found:
        if found_control := control(template):
            raise entry.wrong(
                f"{template!r} must not have {found_control}: what names a subject has one line"
            )
        try:
            read = names(template)
        except ValueError as error:
            raise entry.wrong(str(error)) from None
        if (touching := touch(template)) and not published:
            raise entry.wrong(
                f"{template!r}: nothing stands between {touching[0]} and {touching[1]}, so two subjects could "
                f"have one text; write {touching[0]}-{touching[1]}, or a list of fields"
            )
        known = [field.name for field in contract.fields]
        for name in read:
            if name not in known:
                raise entry.wrong(f"{contract.feed} has no field {name!r}; there are {', '.join(known)}")
            if contract.field(name).multiline:
                raise entry.wrong(
                    f"{name} of {contract.feed} is multiline; what names a subject has one line"
                )
    return found


def read_where(entry: Entry, contract: Contract) -> Where:
    """What an event must have: field and value."""
    if entry.value is None:
        return ()
    fields = {field.name: field for field in contract.fields}
    found = []
    for name, item in entry.mapping().items():
        if name not in fields:
            raise item.wrong(f"the feed has no such field; there are {', '.join(fields)}")
        types, said = _TYPES.get(fields[name].kind, ((), ""))
        if not types:
            raise item.wrong(f"is a {fields[name].kind}; events are chosen by texts, numbers or truth values")
        if type(item.value) not in types:
            raise item.wrong(f"{item.value!r} must be {said}, as the field is")
        enum = fields[name].enum
        if enum and item.value not in enum:
            raise item.wrong(f"{item.value!r} must be one of {', '.join(map(str, enum))}")
        found.append((name, item.value))
    return tuple(found)


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a text in quotes"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}


def one_field(entry: Entry, contract: Contract, kinds: Iterable[str] = ("integer", "number")) -> str:
    """The name of a field of one of these kinds."""
    if entry.value is None:
        raise entry.wrong("must be given")
    return entry.text([field.name for field in contract.fields if field.kind in kinds])


def _input(
    around: Surroundings,
    contract: Contract,
    reads: Iterable[str],
    more: Where = (),
    entry: Entry | None = None,
) -> Input:
    """An input on a feed; `entry` may name a subject and a region of its own."""
    own = entry if entry is not None and entry.at("subject").value is not None else None
    subject = templates(own.at("subject") if own else around.subject, contract, around.published)
    region_entry = (
        entry.at("region") if entry is not None and entry.at("region").value is not None else around.region
    )
    region = templates(region_entry, contract, around.published)[0] if region_entry.value is not None else ""
    where = (*read_where(around.where, contract), *more) if around.where.value is not None else more
    _impersonal(own.at("subject") if own else around.subject, contract, _named((*subject, region)))
    needed = {*reads, *(name for name, _ in where), *_named(subject), *_named((region,))}
    if not region and contract.region_field:
        needed.add(contract.region_field)
    return Input(contract.feed, subject, subject, region, where, tuple(sorted(needed)))


def _impersonal(entry: Entry, contract: Contract, names: Iterable[str]) -> None:
    """Misdeclared where a field is personal: a warning's subject and value stand in every push."""
    personal = {field.name for field in contract.fields if field.classification == "personal"}
    if found := sorted(personal & set(names)):
        raise entry.wrong(f"{found[0]} is personal data of {contract.feed} and would stand in every push")


def _named(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for template in found if template for name in names(template))


def _plain(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    contract = around.feed(Entry(entry.where, "feed", None))
    return Spec(), (_input(around, contract, ()),)


def _field(entry: Entry, around: Surroundings) -> tuple[Contract, str, tuple[Input, ...]]:
    contract = around.feed(Entry(entry.where, "feed", None))
    field = one_field(entry.at("field"), contract)
    return contract, field, (_input(around, contract, (field,)),)


def _threshold(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    contract, field, inputs = _field(entry, around)
    _impersonal(entry.at("field"), contract, (field,))
    return FieldSpec(field), inputs


def _change(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    _, field, inputs = _field(entry, around)
    over, against = entry.at("over"), entry.at("against")
    if (over.value is None) == (against.value is None):
        raise entry.wrong("must have either `over` (a duration) or `against` (yesterday or last-week)")
    relative = (
        entry.at("as").value is not None and entry.at("as").text(("absolute", "relative")) == "relative"
    )
    if over.value is not None:
        return ChangeSpec(field, milliseconds(over), 0, relative), inputs
    return ChangeSpec(field, 0, BACK[against.text(tuple(BACK))], relative), inputs


def _aggregate_of(entry: Entry, contract: Contract) -> Aggregate:
    """One figure: an aggregate of a field, or a count of none."""
    parts = entry.mapping()
    name = parts["aggregate"].text(AGGREGATE_KEYS[0]["aggregate"]["enum"])
    where = read_where(entry.at("where"), contract) if "where" in parts else ()
    share = 0.0
    if name == "quantile":
        share = float(entry.at("quantile").number())
        if not 0 < share < 1:
            raise entry.at("quantile").wrong("must lie between 0 and 1, such as 0.95")
    elif "quantile" in parts:
        raise parts["quantile"].wrong(f"a {name} has none; leave it out, or let the aggregate be quantile")
    if name == "count":
        if "field" in parts:
            raise parts["field"].wrong("a count looks at no field; leave it out")
        return Aggregate(name, where=where)
    kinds = ("string", "integer", "number", "boolean") if name == "distinct" else ("integer", "number")
    return Aggregate(name, one_field(entry.at("field"), contract, kinds), share, where)


def _windowed(
    entry: Entry, around: Surroundings, contract: Contract, parts: tuple[Aggregate, ...], minimum: float = 0.0
) -> tuple[Spec, tuple[Input, ...]]:
    windows = entry.at("windows")
    sliding = windows.value is None or windows.text(("sliding", "tumbling")) == "sliding"
    reads = {part.field for part in parts if part.field} | {name for part in parts for name, _ in part.where}
    spec = WindowSpec(milliseconds(entry.at("window")), sliding, parts, minimum)
    return spec, (_input(around, contract, reads),)


def _aggregate(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    contract = around.feed(Entry(entry.where, "feed", None))
    return _windowed(entry, around, contract, (_aggregate_of(entry, contract),))


def _ratio(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    contract = around.feed(Entry(entry.where, "feed", None))
    parts = []
    for key in ("of", "to"):
        entry.at(key).mapping(*AGGREGATE_KEYS)
        parts.append(_aggregate_of(entry.at(key), contract))
    minimum = entry.at("minimum")
    least = float(minimum.number()) if minimum.value is not None else 0.0
    if least < 0:
        raise minimum.wrong("must not be below 0")
    return _windowed(entry, around, contract, tuple(parts), least)


def _sequence(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    first, first_by = _step(entry.at("first"), around, None)
    then, _ = _step(entry.at("then"), around, first_by)
    if len(first.key) != len(then.key):
        raise (
            entry.at("then")
            .at("by")
            .wrong(f"must name as many fields as the first event's: {len(first.key)}")
        )
    kept = {name for template in first.subject for name in keeps(template)}
    if not {name for template in first.key for name in keeps(template)} <= kept:
        raise (
            entry.at("first")
            .at("by")
            .wrong(
                f"must be part of the rule's subject ({', '.join(first.subject)}), so that each has its warning"
            )
        )
    return SequenceSpec(), (first, then)


def _step(entry: Entry, around: Surroundings, first_by: Entry | None) -> tuple[Input, Entry | None]:
    parts = entry.mapping([], ["feed", "where", "by"])
    contract = around.feed(entry.at("feed"))
    by = parts.get("by") or first_by
    key = templates(by if by is not None else around.subject, contract, around.published)
    more = read_where(entry.at("where"), contract) if "where" in parts else ()
    if first_by is not None:  # the second event need not have the subject's fields
        around = _keyed(around, key)
    whole = _input(around, contract, _named(key), more)
    read = Input(whole.feed, whole.subject, key, whole.region, whole.where, whole.reads)
    return read, by or around.subject


def _keyed(around: Surroundings, key: tuple[str, ...]) -> Surroundings:
    subject = Entry(around.subject.where, "condition.then.by", list(key))
    no_region = Entry(around.region.where, around.region.key, None)
    return Surroundings(
        around.id, around.contracts, around.contract, subject, no_region, around.where, around.published
    )


def _baseline(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    _, field, inputs = _field(entry, around)
    table, slot, unit = entry.at("baseline"), entry.at("slot"), entry.at("as")
    optional = FORMS["baseline"].optional
    return (
        BaselineSpec(
            field,
            table.text() if table.value is not None else around.id,
            slot.text(optional["slot"]["enum"]) if slot.value is not None else "none",
            unit.text(optional["as"]["enum"]) if unit.value is not None else "absolute",
        ),
        inputs,
    )


def _surge(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    from streams.watch.detect import METHODS, for_rules, known_as, make

    contract = around.feed(Entry(entry.where, "feed", None))
    optional = FORMS["surge"].optional
    parameters = entry.at("parameters").mapping() if entry.at("parameters").value is not None else {}
    method = known_as(entry.at("method").text(), f"{entry.where}: {entry.key}")
    meant = for_rules(METHODS[method], {name: item.value for name, item in parameters.items()})
    values = tuple(sorted(meant.items()))
    make(method, dict(values), where=f"{entry.where}: {entry.key}.parameters")
    chosen = {
        key: entry.at(key).text(optional[key]["enum"]) if entry.at(key).value is not None else default
        for key, default in (("measure", "statistic"), ("empty", "zero"), ("aggregate", ""))
    }
    aggregate = chosen["aggregate"] or ("count" if entry.at("field").value is None else "sum")
    field = "" if aggregate == "count" else one_field(entry.at("field"), contract)
    if not field and entry.at("field").value is not None:
        raise entry.at("field").wrong("a count looks at no field; leave it out")
    every, monthly = entry.at("every"), entry.at("every").value == MONTH
    length = LONGEST_MONTH if monthly else milliseconds(every)
    empty_is_zero = chosen["empty"] == "zero"
    spec = SurgeSpec(method, values, aggregate, field, length, chosen["measure"], empty_is_zero, monthly)
    return spec, (_input(around, contract, (field,) if field else ()),)


def _composite(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    if around.contract is not None and around.contract.feed != WARNING_FEED:
        raise Misdeclared(entry.where, "feed", "a composite reads the warnings of its members; leave it out")
    contract = around.contracts[WARNING_FEED]
    members = tuple(_member(item) for item in entry.at("of").items())
    ids = [member.rule for member in members]
    if not ids or len(set(ids)) < len(ids):
        raise entry.at("of").wrong("must name one or more rules, each once")
    if around.id in ids:
        raise entry.at("of").wrong("a rule cannot be made of itself")
    within, count = entry.at("within"), entry.at("count")
    spec = CompositeSpec(
        members,
        milliseconds(within) if within.value is not None else 0,
        count.text(("rules", "warnings")) if count.value is not None else "rules",
    )
    subject = (
        around.subject if around.subject.value is not None else Entry(entry.where, "subject", ["region"])
    )
    keyed = Surroundings(
        around.id, around.contracts, contract, subject, around.region, around.where, around.published
    )
    read = _input(keyed, contract, ("rule", "subject", "region", "kind", "level"))
    if not read.region and read.subject != ("region",) and len(read.subject) == 1:
        read = Input(read.feed, read.subject, read.key, read.subject[0], read.where, read.reads)
    return spec, (read,)


def _member(entry: Entry) -> Member:
    if isinstance(entry.value, str):
        return Member(entry.text(), 1)
    parts = entry.mapping(["rule"], ["level"])
    return Member(
        parts["rule"].text(), BY_RANK.index(parts["level"].text(BY_RANK[1:])) if "level" in parts else 1
    )


def _correlation(entry: Entry, around: Surroundings) -> tuple[Spec, tuple[Input, ...]]:
    within = entry.at("within")
    if within.value is None:
        raise within.wrong("must be given, such as PT6H")
    legs, inputs = [], []
    for item in entry.at("of").items():
        item.mapping(["feed"], ["subject", "region", "where", "field", "at_least", "at_most"])
        contract = around.feed(item.at("feed"))
        leg = _leg(item, contract)
        more = read_where(item.at("where"), contract)
        legs.append(leg)
        inputs.append(_input(around, contract, (leg.field,) if leg.field else (), more, item))
    if len(legs) < 2:
        raise entry.at("of").wrong("must have two legs or more")
    return CorrelationSpec(tuple(legs), milliseconds(within)), tuple(inputs)


def _leg(entry: Entry, contract: Contract) -> Leg:
    least, most = entry.at("at_least"), entry.at("at_most")
    bounded = least.value is not None or most.value is not None
    if (entry.at("field").value is not None) != bounded:
        raise entry.wrong("must have `field` with `at_least` or `at_most`, or none of them")
    return Leg(
        one_field(entry.at("field"), contract) if bounded else "",
        float(least.number()) if least.value is not None else None,
        float(most.number()) if most.value is not None else None,
    )


_READERS: dict[str, Callable[[Entry, Surroundings], tuple[Spec, tuple[Input, ...]]]] = {
    "threshold": _threshold,
    "change": _change,
    "aggregate": _aggregate,
    "ratio": _ratio,
    "count": _plain,
    "absence": _plain,
    "sequence": _sequence,
    "baseline": _baseline,
    "surge": _surge,
    "composite": _composite,
    "correlation": _correlation,
}
