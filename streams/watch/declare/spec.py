"""What each kind of condition is told by its rule: frozen values, no behaviour. Times are milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | float | bool
Where = tuple[tuple[str, Scalar], ...]

AGGREGATES = ("count", "sum", "mean", "min", "max", "distinct", "quantile")
SLOTS = ("none", "hour-of-day", "hour-of-week", "day-of-week", "month")


@dataclass(frozen=True)
class Input:
    """One feed a rule reads: whose events they are (subject, region: templates), and which of them count.

    `key` is what its records are kept by; the subject, unless a sequence correlates by less. `reads` names all
    fields of the data that are needed.
    """

    feed: str
    subject: tuple[str, ...]
    key: tuple[str, ...]
    region: str
    where: Where
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Spec:
    """What a kind needs besides the rule: for absence and count nothing."""


@dataclass(frozen=True)
class FieldSpec(Spec):
    """The value is one field of the event."""

    field: str


@dataclass(frozen=True)
class ChangeSpec(FieldSpec):
    """The value is a field's change against what it was: `over` ms ago, or in the hour `back` ms ago."""

    over: int
    back: int
    relative: bool


@dataclass(frozen=True)
class Aggregate:
    """One figure of the events in a window: of a field (count: of none), of those events that `where` lets in."""

    name: str
    field: str = ""
    quantile: float = 0.0
    where: Where = ()


@dataclass(frozen=True)
class WindowSpec(Spec):
    """The value is an aggregate of a window, or with two of them the first divided by the second.

    `length` is the window's; `sliding` windows end at each event, tumbling ones at multiples of their length
    (of Shanghai's day). A ratio whose divisor is under `minimum` has no value.
    """

    length: int
    sliding: bool
    parts: tuple[Aggregate, ...]
    minimum: float = 0.0


@dataclass(frozen=True)
class SequenceSpec(Spec):
    """The value is the time since an event of the first input that none of the second with its key followed."""


@dataclass(frozen=True)
class BaselineSpec(FieldSpec):
    """The value is a field's deviation from its baseline in a slot of the calendar.

    `unit` says in what: absolute, relative (a share of the mean), sigma (standard deviations).
    """

    table: str
    slot: str
    unit: str


@dataclass(frozen=True)
class SurgeSpec(Spec):
    """The value is what a detector makes of a series: one figure (`aggregate` of a field) a window of `every` ms.

    `monthly`: windows are months of the calendar, and `every` is the longest of them.
    `measure`: the detector's statistic, or its alarm (1 or 0).
    `parameters` are the detector's, as (name, value). An empty window is a zero, or a missing point.
    """

    method: str
    parameters: tuple[tuple[str, Scalar | None], ...]
    aggregate: str
    field: str
    every: int
    measure: str
    empty_is_zero: bool
    monthly: bool = False


@dataclass(frozen=True)
class Member:
    """A rule that takes part in a composite, from this rank of its warnings up."""

    rule: str
    rank: int


@dataclass(frozen=True)
class CompositeSpec(Spec):
    """The value is how many members have a warning open in a region now or had one within `within` ms.

    `count` says what is counted: the `rules` among the members, or their `warnings` (open episodes).
    """

    members: tuple[Member, ...]
    within: int
    count: str


@dataclass(frozen=True)
class Leg:
    """One side of a correlation: an event is one where its field is at least or at most this."""

    field: str
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class CorrelationSpec(Spec):
    """The value is how many legs (one an input) had a fitting event within the last `within` ms."""

    legs: tuple[Leg, ...]
    within: int
