"""The form of conditions: the keys of each kind and what they hold. Reader and JSON Schema both go by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.declaration import Entry
from schemas.forms import Form, Law, exactly_one, goes_with, inner, key, may, together
from schemas.levels import RISING
from schemas.shapes import Shape, duration, each, either, free, later, number, share, text, whole
from schemas.text import control
from schemas.topics import WARNING_FEED
from streams.watch.declare.spec import AGGREGATES, SLOTS
from streams.watch.declare.templates import FORM, names

MONTH = "P1M"
LONGEST_MONTH = 31 * 86_400_000

SOME = duration(some=True)
EVERY = duration(some=True, other=MONTH, meant=LONGEST_MONTH)
WHERE = free("string", "number", "boolean")
FEW_MEMBERS = "must name one or more rules, each once"

_FIELD = "A field of the event that holds a number."
_SUBJECT = "What is watched; another subject than the feed's key is gathered over all partitions."
_REGION = "Field or template of the region code, such as {region:city}; the feed's own region by default."
_WHERE = "Field and value: what an event must have, all of it."


def _templates(entry: Entry) -> tuple[str, ...]:
    """Templates, whatever the fields of the feed: one text or a list of them."""
    found = (entry.text(),) if isinstance(entry.value, str) else entry.texts()
    for template in found:
        if bad := control(template):
            raise entry.wrong(f"{template!r} must not have {bad}: what names a subject has one line")
        try:
            names(template)
        except ValueError as error:
            raise entry.wrong(str(error)) from None
    return found


_TEMPLATE = {"type": "string", "pattern": FORM}
_LIST = {"type": "array", "items": _TEMPLATE, "minItems": 1, "uniqueItems": True}
SUBJECT = Shape(_templates, {"oneOf": [_TEMPLATE, _LIST]})
REGION = Shape(_templates, {"oneOf": [_TEMPLATE, {**_LIST, "maxItems": 1}]})


def subject() -> tuple[str, ...]:
    """The key `subject`."""
    return may(SUBJECT, _SUBJECT, default=())


def region() -> tuple[str, ...]:
    """The key `region`."""
    return may(REGION, _REGION, default=())


def where() -> Mapping[str, Any] | None:
    """The key `where`."""
    return may(WHERE, _WHERE, default=None)


def direction() -> str:
    """The key `direction`."""
    shape = text("above", "below")
    return may(shape, "Whether a level is reached from its bound upwards or downwards.", default="above")


def windows() -> str:
    """The key `windows`."""
    return may(
        text("sliding", "tumbling"), "Ending at each event, or one after the other.", default="sliding"
    )


class Condition(Form):
    """When a subject is in danger.

    `bound` is what levels are of this kind. The rule must have the keys in `needs`, and no other feed than
    `only_feed`; where it has none, what stands under the keys `with_feeds` must name one.
    """

    kind: str = key(text())

    bound: ClassVar[Shape[Any]] = number()
    needs: ClassVar[tuple[str, ...]] = ("feed", "subject")
    with_feeds: ClassVar[tuple[str, ...]] = ()
    only_feed: ClassVar[str] = ""


class Threshold(Condition):
    """A field of one event."""

    field: str = key(text(), _FIELD)
    direction: str = direction()


class Change(Condition):
    """How a field has changed."""

    field: str = key(text(), _FIELD)
    over: int = may(SOME, "Against the newest value at least this old, and less than twice that.", default=0)
    against: str = may(text("yesterday", "last-week"), "Against the mean of the same hour.", default="")
    as_: str = may(
        text("absolute", "relative"),
        "The difference, or its share of the earlier value.",
        default="absolute",
    )
    direction: str = direction()
    laws: ClassVar[tuple[Law, ...]] = (
        exactly_one(
            "must have either `over` (a duration) or `against` (yesterday or last-week)", "over", "against"
        ),
    )


def _field_of(*figures: str) -> Law:
    """These are of a field, and a count is of none."""
    barred = "a count looks at no field; leave it out"
    return goes_with("field", "aggregate", *figures, missed="must be given", barred=barred)


class Part(Form):
    """A figure of the window."""

    aggregate: str = key(text(*AGGREGATES), "The figure.")
    field: str = may(text(), "The field; none for a count.", default="")
    quantile: float = may(share("0.95"), "Which quantile, such as 0.95.", default=0.0)
    where: Mapping[str, Any] | None = where()
    laws: ClassVar[tuple[Law, ...]] = (
        goes_with(
            "quantile", "aggregate", "quantile",
            missed="must be a number, not nothing",
            barred="a {} has none; leave it out, or let the aggregate be quantile",
        ),
        _field_of(*(each for each in AGGREGATES if each != "count")),
    )  # fmt: skip


class Aggregate(Part, Condition):
    """A figure of the events in a window."""

    window: int = key(SOME, "Length of the window.")
    windows: str = windows()
    direction: str = direction()


class Ratio(Condition):
    """One figure of a window divided by another."""

    of: Part = key(inner(Part))
    to: Part = key(inner(Part))
    window: int = key(SOME, "Length of the window.")
    windows: str = windows()
    minimum: float = may(number(least=0), "A divisor under this gives no value.", default=0.0)
    direction: str = direction()


class Count(Condition):
    """How many events there are in a tumbling window."""

    window: int = key(SOME, "Length of the window.")
    direction: str = direction()


class Absence(Condition):
    """How long a subject has said nothing."""

    bound: ClassVar[Shape[Any]] = SOME


class Step(Form):
    """An event of the sequence."""

    feed: str = may(text(), "Its feed; the rule's by default.", default="")
    where: Mapping[str, Any] | None = where()
    by: tuple[str, ...] = may(
        SUBJECT,
        "The fields that tell which first and second event belong together; the subject by default.",
        default=(),
    )


class Sequence(Condition):
    """How long an event has not been followed by another."""

    first: Step = key(inner(Step))
    then: Step = key(inner(Step))
    bound: ClassVar[Shape[Any]] = SOME
    needs: ClassVar[tuple[str, ...]] = ("subject",)
    with_feeds: ClassVar[tuple[str, ...]] = ("first", "then")


class Baseline(Condition):
    """How far a field is from what is usual."""

    field: str = key(text(), _FIELD)
    baseline: str = may(text(), "Name of the published table; the rule's id by default.", default="")
    slot: str = may(
        text(*SLOTS), "The slot of the calendar (Asia/Shanghai) a baseline is for.", default="none"
    )
    as_: str = may(
        text("absolute", "relative", "sigma"),
        "Difference, share of the mean, standard deviations.",
        default="absolute",
    )
    direction: str = direction()


_FIGURES = ("sum", "mean", "max", "last")


class Surge(Condition):
    """What a statistical detector makes of a series."""

    method: str = key(text(), "The detector, such as ears-c2, ewma, cusum, farrington-flexible.")
    every: int = key(
        EVERY, "Length of the windows that are the points of the series; P1M: months of the calendar."
    )
    field: str = may(text(), _FIELD, default="")
    aggregate: str = may(text("count", *_FIGURES), "The figure of each window.", default="")
    parameters: Mapping[str, Any] | None = may(
        free(), "The detector's parameters; `missing: surveillance` takes R's way.", default=None
    )
    measure: str = may(text("statistic", "alarm"), "What the bounds are compared with.", default="statistic")
    empty: str = may(text("zero", "missing"), "What a window without events is.", default="zero")
    direction: str = direction()
    laws: ClassVar[tuple[Law, ...]] = (_field_of(*_FIGURES),)


class Member(Form):
    """A rule, from this level of its warnings up."""

    rule: str = key(text(), "A rule's id.")
    level: str = may(text(*RISING), "The lowest level that counts.", default=RISING[0])


_MEMBERS = either(str, text("any", "all"), later(whole(1)))


class Composite(Condition):
    """How many other rules warn in a region."""

    of: tuple[str | Member, ...] = key(
        each(either(str, text(), inner(Member)), least=1, few=FEW_MEMBERS, different=True), "The members."
    )
    within: int = may(SOME, "How long a warning that has ended still counts.", default=0)
    count: str = may(text("rules", "warnings"), "Count members, or all their open warnings.", default="rules")
    bound: ClassVar[Shape[Any]] = _MEMBERS
    needs: ClassVar[tuple[str, ...]] = ()
    only_feed: ClassVar[str] = WARNING_FEED


class Leg(Form):
    """One side of the correlation."""

    feed: str = key(text(), "Its feed.")
    subject: tuple[str, ...] = subject()
    region: tuple[str, ...] = region()
    where: Mapping[str, Any] | None = where()
    field: str = may(text(), _FIELD, default="")
    at_least: float | None = may(number(), "Events count whose field is at least this.", default=None)
    at_most: float | None = may(number(), "Events count whose field is at most this.", default=None)
    laws: ClassVar[tuple[Law, ...]] = (
        together(
            "must have `field` with `at_least` or `at_most`, or none of them", "field", "at_least", "at_most"
        ),
    )


class Correlation(Condition):
    """How many feeds had a fitting event of one subject within a span."""

    of: tuple[Leg, ...] = key(each(inner(Leg), least=2, few="must have two legs or more"), "The legs.")
    within: int = key(SOME, "How long a fitting event counts.")
    bound: ClassVar[Shape[Any]] = _MEMBERS
    needs: ClassVar[tuple[str, ...]] = ("subject",)


FORMS: Mapping[str, type[Condition]] = {
    "threshold": Threshold,
    "change": Change,
    "aggregate": Aggregate,
    "ratio": Ratio,
    "count": Count,
    "absence": Absence,
    "sequence": Sequence,
    "baseline": Baseline,
    "surge": Surge,
    "composite": Composite,
    "correlation": Correlation,
}
