"""What the condition of a rule means over its feeds: what its kind is told, and which feeds it reads how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.contract import Contract
from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.levels import BY_RANK
from schemas.majors import named
from streams.watch.declare import condition_form as forms
from streams.watch.declare import spec
from streams.watch.declare.spec import Input, Spec, Where
from streams.watch.declare.templates import keeps, names, touch

DAY = 86_400_000
BACK = {"": 0, "yesterday": DAY, "last-week": 7 * DAY}
Read = tuple[Spec, tuple[Input, ...]]
"""What a kind needs, and its inputs."""


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
        found = named(self.contracts, entry.value)
        if found is None:
            raise entry.wrong(f"no such feed; there are {', '.join(self.contracts)}")
        return found

    @property
    def own(self) -> Contract:
        """The contract of the rule's own feed."""
        return self.feed(Entry(self.subject.where, "feed", None))


def read_condition(form: forms.Condition, around: Surroundings) -> Read:
    """What a condition means; whatever is wrong with it is Misdeclared."""
    return _MEANINGS[form.kind](form, around)


def templates(entry: Entry, contract: Contract, published: bool = False) -> tuple[str, ...]:
    """The templates of an entry over the fields of a feed; of published ones holes may touch."""
    found = (entry.value,) if isinstance(entry.value, str) else tuple(entry.value)
    known = [field.name for field in contract.fields]
    for template in found:
        if (touching := touch(template)) and not published:
            raise entry.wrong(
                f"{template!r}: nothing stands between {touching[0]} and {touching[1]}, so two subjects could "
                f"have one text; write {touching[0]}-{touching[1]}, or a list of fields"
            )
        for name in names(template):
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
    return entry.text([field.name for field in contract.fields if field.kind in kinds])


def _input(
    around: Surroundings,
    contract: Contract,
    reads: Iterable[str],
    more: Where = (),
) -> Input:
    """An input on a feed."""
    subject = templates(around.subject, contract, around.published)
    region = _region(around, contract)
    where = (*read_where(around.where, contract), *more)
    _impersonal(around.subject, contract, _named((*subject, region)))
    needed = {*reads, *(name for name, _ in where), *_named(subject), *_named((region,))}
    if not region and contract.region_field:
        needed.add(contract.region_field)
    return Input(contract.feed, subject, subject, region, where, tuple(sorted(needed)))


def _region(around: Surroundings, contract: Contract) -> str:
    if around.region.value is None:
        return ""
    found = templates(around.region, contract, around.published)
    if len(found) > 1 and not around.published:
        raise around.region.wrong("must be one field or template; a list of several says no region")
    return found[0]


def _impersonal(entry: Entry, contract: Contract, names: Iterable[str]) -> None:
    """Misdeclared where a field is personal: a warning's subject and value stand in every push."""
    personal = {field.name for field in contract.fields if field.classification == "personal"}
    if found := sorted(personal & set(names)):
        raise entry.wrong(f"{found[0]} is personal data of {contract.feed} and would stand in every push")


def _named(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for template in found if template for name in names(template))


def _plain(form: forms.Condition, around: Surroundings) -> Read:
    return Spec(), (_input(around, around.own, ()),)


def _field(form: forms.Condition, around: Surroundings) -> tuple[str, tuple[Input, ...]]:
    field = one_field(form.at("field"), around.own)
    return field, (_input(around, around.own, (field,)),)


def _threshold(form: forms.Threshold, around: Surroundings) -> Read:
    field, inputs = _field(form, around)
    _impersonal(form.at("field"), around.own, (field,))
    return spec.FieldSpec(field), inputs


def _change(form: forms.Change, around: Surroundings) -> Read:
    field, inputs = _field(form, around)
    return spec.ChangeSpec(field, form.over, BACK[form.against], form.as_ == "relative"), inputs


def _part(form: forms.Part, contract: Contract) -> spec.Aggregate:
    """One figure: an aggregate of a field, or a count of none."""
    where = read_where(form.at("where"), contract)
    if form.aggregate == "count":
        return spec.Aggregate(form.aggregate, where=where)
    kinds = (
        ("string", "integer", "number", "boolean") if form.aggregate == "distinct" else ("integer", "number")
    )
    return spec.Aggregate(form.aggregate, one_field(form.at("field"), contract, kinds), form.quantile, where)


def _window(
    form: forms.Aggregate | forms.Ratio,
    around: Surroundings,
    parts: Iterable[forms.Part],
    minimum: float = 0.0,
) -> Read:
    figures = tuple(_part(part, around.own) for part in parts)
    reads = {each.field for each in figures if each.field} | {
        name for each in figures for name, _ in each.where
    }
    meant = spec.WindowSpec(form.window, form.windows == "sliding", figures, minimum)
    return meant, (_input(around, around.own, reads),)


def _aggregate(form: forms.Aggregate, around: Surroundings) -> Read:
    return _window(form, around, [form])


def _ratio(form: forms.Ratio, around: Surroundings) -> Read:
    return _window(form, around, [form.of, form.to], form.minimum)


def _sequence(form: forms.Sequence, around: Surroundings) -> Read:
    by = form.first.at("by") if form.first.by else around.subject
    first = _step(form.first, around, by)
    key = _key(form.then, around, form.then.at("by") if form.then.by else by)
    # the second event need not have the subject's fields
    keyed = replace(form.then.at("by"), value=list(key))
    then = _step(form.then, replace(around, subject=keyed, region=replace(around.region, value=None)), keyed)
    if len(first.key) != len(then.key):
        raise form.then.at("by").wrong(f"must name as many fields as the first event's: {len(first.key)}")
    kept = {name for template in first.subject for name in keeps(template)}
    if not {name for template in first.key for name in keeps(template)} <= kept:
        raise form.first.at("by").wrong(
            f"must be part of the rule's subject ({', '.join(first.subject)}), so that each has its warning"
        )
    return spec.SequenceSpec(), (first, then)


def _step(form: forms.Step, around: Surroundings, by: Entry) -> Input:
    key, contract = _key(form, around, by), around.feed(form.at("feed"))
    more = read_where(form.at("where"), contract)
    return replace(_input(around, contract, _named(key), more), key=key)


def _key(form: forms.Step, around: Surroundings, by: Entry) -> tuple[str, ...]:
    return templates(by, around.feed(form.at("feed")), around.published)


def _baseline(form: forms.Baseline, around: Surroundings) -> Read:
    field, inputs = _field(form, around)
    return spec.BaselineSpec(field, form.baseline or around.id, form.slot, form.as_), inputs


def _surge(form: forms.Surge, around: Surroundings) -> Read:
    from streams.watch.detect import METHODS, for_rules, known_as, make

    contract, where = around.own, f"{form.entry.where}: {form.entry.key}"
    method = known_as(form.method, where)
    values = tuple(sorted(for_rules(METHODS[method], dict(form.parameters or {})).items()))
    make(method, dict(values), where=f"{where}.parameters")
    aggregate = form.aggregate or ("sum" if form.field else "count")
    field = "" if aggregate == "count" else one_field(form.at("field"), contract)
    monthly = form.at("every").value == forms.MONTH
    meant = spec.SurgeSpec(
        method, values, aggregate, field, form.every, form.measure, form.empty == "zero", monthly
    )
    return meant, (_input(around, contract, (field,) if field else ()),)


def _composite(form: forms.Composite, around: Surroundings) -> Read:
    if around.contract is not None and around.contract.feed != form.only_feed:
        raise Misdeclared(
            form.entry.where, "feed", "a composite reads the warnings of its members; leave it out"
        )
    members = tuple(_member(each) for each in form.of)
    ids = [member.rule for member in members]
    if len(set(ids)) < len(ids):
        raise form.at("of").wrong(forms.FEW_MEMBERS)
    if around.id in ids:
        raise form.at("of").wrong("a rule cannot be made of itself")
    subject = (
        around.subject if around.subject.value is not None else replace(around.subject, value=["region"])
    )
    read = _input(
        replace(around, subject=subject), around.contracts[form.only_feed],
        ("rule", "subject", "region", "kind", "level"),
    )  # fmt: skip
    if not read.region and read.subject != ("region",) and len(read.subject) == 1:
        read = replace(read, region=read.subject[0])
    return spec.CompositeSpec(members, form.within, form.count), (read,)


def _member(form: str | forms.Member) -> spec.Member:
    return (
        spec.Member(form, 1) if isinstance(form, str) else spec.Member(form.rule, BY_RANK.index(form.level))
    )


def _correlation(form: forms.Correlation, around: Surroundings) -> Read:
    legs, inputs = zip(*(_leg(each, around) for each in form.of), strict=True)
    return spec.CorrelationSpec(legs, form.within), inputs


def _leg(form: forms.Leg, around: Surroundings) -> tuple[spec.Leg, Input]:
    contract = around.feed(form.at("feed"))
    field = one_field(form.at("field"), contract) if form.field else ""
    subject = form.at("subject") if form.subject else around.subject
    region = form.at("region") if form.region else around.region
    more = read_where(form.at("where"), contract)
    own = replace(around, subject=subject, region=region)
    read = _input(own, contract, (field,) if field else (), more)
    return spec.Leg(field, form.at_least, form.at_most), read


_MEANINGS: Mapping[str, Callable[[Any, Surroundings], Read]] = {
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
