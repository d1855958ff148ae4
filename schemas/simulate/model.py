"""What a `simulate` block says: shape, subjects, rhythm, how each field is made, dirt, planted anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as by_default
from typing import Any

from schemas.template import Template

SHAPES = {
    "reading": "a measurement of each subject at fixed times",
    "count": "how many there were at each subject in a period",
    "arrival": "single events at random times",
    "lifecycle": "things that come in at random times and pass through stages with deadlines",
    "register": "entities whose state changes now and then",
}
REGULAR = ("reading", "count")
"""Shapes whose events come at fixed times."""
RANDOM = ("arrival", "lifecycle")
"""Shapes whose events come at random times, so many a day."""
MONTH = 0
"""`every` of what comes once a calendar month; all else is in seconds."""
DAY = 86_400
PLANTED_SERIAL = 9_000
"""From here on are serials of what was planted; ordinary ones of a subject and day are below."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class Season:
    """A yearly cycle: `swing` is its strength, `peak` the day of the year on which it is highest."""

    swing: float
    peak: int


@dataclass(frozen=True)
class Rhythm:
    """Factors with a mean of 1 by hour and weekday (Monday first), one for holidays, and the season."""

    hours: tuple[float, ...] = (1.0,) * 24
    days: tuple[float, ...] = (1.0,) * 7
    holiday: float | None = None
    season: Season | None = None


@dataclass(frozen=True)
class Subjects:
    """Who has events: `count` a region of this level, or `named` ones with their region.

    `id` makes an entity's id, which is the value of `field`; without them the region is the subject.
    """

    level: str
    count: int = 1
    field: str = ""
    id: Template | None = None
    named: Mapping[str, str] = by_default(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """What the means and rates of a region are multiplied by; `population`: by its millions of inhabitants."""

    population: bool = False
    mountain: float = 1.0
    named: Mapping[str, float] = by_default(default_factory=dict)


@dataclass(frozen=True)
class Constant:
    """The same value always."""

    value: Any


@dataclass(frozen=True)
class Choice:
    """One of the values by weight. `moves` says what a state becomes at the next change, by weight."""

    values: tuple[Any, ...]
    weights: tuple[float, ...]
    moves: Mapping[Any, Choice] = by_default(default_factory=dict)


@dataclass(frozen=True)
class Between:
    """Any value between the bounds, each as likely."""

    low: float
    high: float
    digits: int


@dataclass(frozen=True)
class Number:
    """A value around a mean.

    `spread` is the deviation as a share of the mean, `deviation` in the field's unit; `poisson` draws counts.
    `memory` is the part of a subject's deviation that stays until its next event (AR of order one), `shared` the
    part of its variance that all subjects of a city have in common, `own` by what share subjects differ for good.
    Without `rhythm` the feed's hours and days do not matter to it. No value is outside `low` and `high`: towards
    the upper one they are bent.
    """

    mean: float
    low: float
    high: float
    digits: int
    spread: float = 0.0
    deviation: float = 0.0
    poisson: bool = False
    memory: float = 0.0
    shared: float = 0.0
    own: float = 0.0
    season: Season | None = None
    rhythm: bool = True


@dataclass(frozen=True)
class Text:
    """A text with the names of the event in it."""

    template: Template


@dataclass(frozen=True)
class Moment:
    """The event's time, or that of its first stage, moved by some seconds between the two; or only its day."""

    first: bool
    shift: Pair
    day: bool


@dataclass(frozen=True)
class Derived:
    """A number that follows from another field: by a table, linear between its points, or times and plus."""

    of: str
    digits: int
    low: float
    high: float
    table: tuple[Pair, ...] = ()
    times: float = 1.0
    plus: float = 0.0
    up: bool = False


@dataclass(frozen=True)
class By:
    """Another maker for each value of another field."""

    field: str
    of: Mapping[str, Maker]


Maker = Constant | Choice | Between | Number | Text | Moment | Derived | By


@dataclass(frozen=True)
class Made:
    """How one field comes about; `stages` and `chance` say when it is there.

    `missed` is what holds instead once a deadline was missed.
    """

    name: str
    maker: Maker
    stages: frozenset[str] = frozenset()
    chance: float = 1.0
    missed: Maker | None = None


@dataclass(frozen=True)
class Rate:
    """How many come in: a subject and day, before weights and rhythm; `most` in any ordinary hour."""

    mean: float
    own: float = 0.0
    most: int | None = None


@dataclass(frozen=True)
class Stage:
    """One stage: some seconds `after` the one before it, or a share (`takes`) of a deadline.

    A deadline counts from the first stage. It is a field's name or seconds; `overdue` is the share that misses it,
    `overdue_takes` by how much. With `ends` nothing follows it.
    """

    name: str
    after: Pair | None = None
    deadline: str | float = 0.0
    unit: float = 1.0
    takes: Pair = (0.0, 1.0)
    overdue: float = 0.0
    overdue_takes: Pair = (1.05, 2.0)
    chance: float = 1.0
    ends: bool = False


@dataclass(frozen=True)
class Split:
    """A field each of whose values has a series of its own at each subject; a value may have its own makers."""

    field: str
    of: Mapping[str, tuple[Made, ...]]


@dataclass(frozen=True)
class Dirt:
    """One line in `every` has an error; `duplicate` and `late` are delays in seconds, from and to.

    What is late says something else in the fields of `supplement`.
    """

    every: int
    duplicate: Pair
    late: Pair
    supplement: tuple[Made, ...] = ()


@dataclass(frozen=True)
class Planted:
    """Anomalies of one kind: the rule they wake, how many in 30 days, and their size at each level.

    `opens` is where the rule opens and `ends` where it recovers, told here and not read from the rule, so that
    a wrong rule and a wrong generator cannot agree by accident. All planted events have the values of `where`.
    """

    wakes: str
    kind: str
    per_month: float
    levels: Mapping[str, Pair]
    opens: float
    ends: float = 0.0
    field: str = ""
    stage: str = ""
    subject: tuple[str, ...] = ()
    where: Mapping[str, Any] = by_default(default_factory=dict)
    lasts: tuple[int, int] = (1, 6)
    window: int = 3_600
    hours: tuple[int, int] = (9, 15)


@dataclass(frozen=True)
class Simulate:
    """A whole block. Of `every` (seconds, or MONTH), `rate` and `stages` a shape has those it needs."""

    shape: str
    subjects: Subjects
    source: Template
    fields: tuple[Made, ...]
    dirt: Dirt
    every: int = 0
    at: int = 0
    rate: Rate | None = None
    weights: Weights = Weights()
    rhythm: Rhythm = Rhythm()
    split: Split | None = None
    stage_field: str = ""
    stages: tuple[Stage, ...] = ()
    anomalies: tuple[Planted, ...] = ()
