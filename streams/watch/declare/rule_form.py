"""The form of rule files: which keys there are, what each holds. The reader and the JSON Schema both go by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.levels import RISING
from streams.watch.declare.calendar import WEEKDAYS
from streams.watch.declare.spec import AGGREGATES, SLOTS

Shape = Mapping[str, Any]
"""A piece of JSON Schema (draft 2020-12)."""

DURATION = r"^P(?=\d|T\d)(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"
SOME_TIME = DURATION.replace("^P", "^P(?=.*[1-9])", 1)
"""A duration longer than nothing."""
MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$"
ID = r"^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$"
STEPS = ("opened", "raised", "lowered", "recovered", "cancelled")
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


def text(description: str, **more: Any) -> Shape:
    """A text that is not empty."""
    return {"type": "string", "minLength": 1, "description": description, **more}


def duration(description: str) -> Shape:
    """An ISO 8601 duration."""
    return {"type": "string", "pattern": DURATION, "description": description, "examples": ["PT2H", "P1D"]}


def span(description: str) -> Shape:
    """An ISO 8601 duration longer than nothing."""
    return {**duration(description), "pattern": SOME_TIME}


def moment(description: str) -> Shape:
    """A moment."""
    return {**text(description), "pattern": MOMENT, "examples": ["2026-03-01T09:00:00+08:00"]}


def choice(description: str, *values: str) -> Shape:
    """One of some texts."""
    return {"enum": list(values), "description": description}


def number(description: str, **more: Any) -> Shape:
    """A finite number."""
    return {"type": "number", "description": description, **more}


def texts(description: str) -> Shape:
    """A list of one or more different texts."""
    return {
        "type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True,
        "description": description,
    }  # fmt: skip


def record(description: str, required: Mapping[str, Shape], optional: Mapping[str, Shape]) -> Shape:
    """A mapping with exactly these keys."""
    return {
        "type": "object", "properties": {**required, **optional}, "required": list(required),
        "additionalProperties": False, "description": description,
    }  # fmt: skip


def _is(key: str, value: str) -> Shape:
    """Whether a key has this value."""
    return {"properties": {key: {"const": value}}, "required": [key]}


SCALAR: Shape = {"type": ["string", "number", "boolean"]}
WHERE: Shape = {
    "type": "object", "additionalProperties": SCALAR,
    "description": "Field and value: what an event must have, all of it.",
}  # fmt: skip
FIELD = text("A field of the event that holds a number.")
SUBJECT: Shape = {
    "oneOf": [text("A template such as {region:city}."), texts("Fields or templates, joined by |.")],
    "description": "What is watched; another subject than the feed's key is gathered over all partitions.",
}
REGION = text(
    "Field or template of the region code, such as {region:city}; the feed's own region by default."
)
DIRECTION = choice("Whether a level is reached from its bound upwards or downwards.", "above", "below")
WINDOW = span("Length of the window.")
EVERY = {
    **span("Length of the windows that are the points of the series; P1M: months of the calendar."),
    "pattern": f"{SOME_TIME}|^P1M$",
    "examples": ["P1D", "P1W", "P1M"],
}
WINDOWS = choice("Ending at each event, or one after the other.", "sliding", "tumbling")

AGGREGATE_KEYS: tuple[Mapping[str, Shape], Mapping[str, Shape]] = (
    {"aggregate": choice("The figure.", *AGGREGATES)},
    {
        "field": text("The field; none for a count."),
        "quantile": number("Which quantile, such as 0.95.", exclusiveMinimum=0, exclusiveMaximum=1),
        "where": WHERE,
    },
)
AGGREGATE_RULES: list[Shape] = [
    {"if": _is("aggregate", "count"), "then": {"properties": {"field": False}}, "else": {"required": ["field"]}},
    {"if": _is("aggregate", "quantile"), "then": {"required": ["quantile"]},
     "else": {"properties": {"quantile": False}}},
]  # fmt: skip
PART = {**record("A figure of the window.", *AGGREGATE_KEYS), "allOf": AGGREGATE_RULES}
STEP = record(
    "An event of the sequence.",
    {},
    {
        "feed": text("Its feed; the rule's by default."),
        "where": WHERE,
        "by": texts(
            "The fields that tell which first and second event belong together; the subject by default."
        ),
    },
)
_LEG = record(
    "One side of the correlation.",
    {"feed": text("Its feed.")},
    {
        "subject": SUBJECT, "region": REGION, "where": WHERE, "field": FIELD,
        "at_least": number("Events count whose field is at least this."),
        "at_most": number("Events count whose field is at most this."),
    },
)  # fmt: skip
LEG: Shape = {
    **_LEG, "dependentRequired": {"at_least": ["field"], "at_most": ["field"]},
    "dependentSchemas": {"field": {"anyOf": [{"required": ["at_least"]}, {"required": ["at_most"]}]}},
}  # fmt: skip
MEMBER: Shape = {
    "oneOf": [
        text("A rule's id."),
        record(
            "A rule, from this level of its warnings up.",
            {"rule": text("A rule's id.")},
            {"level": choice("The lowest level that counts.", *RISING)},
        ),
    ]
}


@dataclass(frozen=True)
class Form:
    """The keys of one kind of condition, and what its levels' bounds are: number, duration or members.

    `also` is what must hold of the keys together; `whole` what else the rule needs (feed, subject).
    """

    description: str
    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)
    bounds: str = "number"
    also: Shape = field(default_factory=dict)
    whole: tuple[str, ...] = ("feed", "subject")


FORMS: dict[str, Form] = {
    "threshold": Form("A field of one event.", {"field": FIELD}, {"direction": DIRECTION}),
    "change": Form(
        "How a field has changed.",
        {"field": FIELD},
        {
            "over": span("Against the newest value at least this old, and less than twice that."),
            "against": choice("Against the mean of the same hour.", "yesterday", "last-week"),
            "as": choice("The difference, or its share of the earlier value.", "absolute", "relative"),
            "direction": DIRECTION,
        },
        also={"oneOf": [{"required": ["over"]}, {"required": ["against"]}]},
    ),
    "aggregate": Form(
        "A figure of the events in a window.",
        {"aggregate": AGGREGATE_KEYS[0]["aggregate"], "window": WINDOW},
        {**AGGREGATE_KEYS[1], "windows": WINDOWS, "direction": DIRECTION},
        also={"allOf": AGGREGATE_RULES},
    ),
    "ratio": Form(
        "One figure of a window divided by another.",
        {"of": PART, "to": PART, "window": WINDOW},
        {
            "windows": WINDOWS,
            "minimum": number("A divisor under this gives no value.", minimum=0),
            "direction": DIRECTION,
        },
    ),
    "count": Form(
        "How many events there are in a tumbling window.", {"window": WINDOW}, {"direction": DIRECTION}
    ),
    "absence": Form("How long a subject has said nothing.", bounds="duration"),
    "sequence": Form(
        "How long an event has not been followed by another.",
        {"first": STEP, "then": STEP},
        bounds="duration",
        whole=("subject",),
    ),
    "baseline": Form(
        "How far a field is from what is usual.",
        {"field": FIELD},
        {
            "baseline": text("Name of the published table; the rule's id by default."),
            "slot": choice("The slot of the calendar (Asia/Shanghai) a baseline is for.", *SLOTS),
            "as": choice(
                "Difference, share of the mean, standard deviations.", "absolute", "relative", "sigma"
            ),
            "direction": DIRECTION,
        },
    ),
    "surge": Form(
        "What a statistical detector makes of a series.",
        {"method": text("The detector, such as ears-c2, ewma, cusum, farrington-flexible."), "every": EVERY},
        {
            "field": FIELD,
            "aggregate": choice("The figure of each window.", "count", "sum", "mean", "max", "last"),
            "parameters": {
                "type": "object",
                "description": "The detector's parameters; `missing: surveillance` takes R's way.",
            },
            "measure": choice("What the bounds are compared with.", "statistic", "alarm"),
            "empty": choice("What a window without events is.", "zero", "missing"),
            "direction": DIRECTION,
        },
    ),
    "composite": Form(
        "How many other rules warn in a region.",
        {"of": {"type": "array", "items": MEMBER, "minItems": 1, "description": "The members."}},
        {
            "within": span("How long a warning that has ended still counts."),
            "count": choice("Count members, or all their open warnings.", "rules", "warnings"),
        },
        bounds="members",
        whole=(),
    ),
    "correlation": Form(
        "How many feeds had a fitting event of one subject within a span.",
        {
            "of": {"type": "array", "items": LEG, "minItems": 2, "description": "The legs."},
            "within": span("How long a fitting event counts."),
        },
        bounds="members",
        whole=("subject",),
    ),
}

QUIET = record(
    "Hours in which nothing opens or rises.",
    {"from": text("Time of day.", pattern=CLOCK), "to": text("Time of day.", pattern=CLOCK)},
    {
        "days": {
            "type": "array", "items": {"enum": list(WEEKDAYS)}, "minItems": 1, "uniqueItems": True,
            "description": "Days on which they begin; every day by default.",
        },
        "up_to": choice("The highest level held back; orange by default, so that red is never.", *RISING),
    },
)  # fmt: skip
SPAN = record(
    "A span in which nothing is judged.",
    {"from": moment("Its begin."), "to": moment("Its end.")},
    {
        "subjects": texts("Whose; all by default."),
        "regions": texts("GB/T 2260 codes with all that lies in them."),
    },
)
EVENT = record(
    "An event of an example.",
    {"time": moment("When it occurs."), "data": {"type": "object", "description": "Its data."}},
    {
        "feed": text("Its feed, where the rule reads several."),
        "repeat": {"type": "integer", "minimum": 1, "description": "How often it comes."},
        "every": duration("How far apart."),
    },
)
EXAMPLE = record(
    "Events and the transitions they must make.",
    {
        "name": text("What it shows."),
        "events": {"type": "array", "items": EVENT, "description": "In order of arrival."},
        "warns": {
            "type": "array",
            "items": record(
                "A transition.",
                {
                    "subject": text("Whose."),
                    "kind": choice("What happened.", *STEPS),
                },
                {"level": choice("The level after it.", *RISING)},
            ),
            "description": "All transitions, in order; none where nothing must be warned of.",
        },
    },
    {
        "until": moment("The clock at the end, where silence matters."),
        "baseline": {
            "type": "array", "items": {"type": "object"}, "description": "subject, slot, mean, sd each.",
        },
    },
)  # fmt: skip

REQUIRED: dict[str, Shape] = {
    "rule": text("Its id, <domain>.<rule>; in the folder of rules as the file's place says.", pattern=ID),
    "version": {"type": "integer", "minimum": 1, "description": "Raised with each change."},
    "title": record(
        "One line for the officer on duty.", {"zh": text("Chinese."), "en": text("English.")}, {}
    ),
    "condition": {},
    "levels": {},
    "runbook": text("What to do; {subject}, {region}, {level}, {value} are filled in."),
    "duty_role": text("Whose duty it is."),
}
OPTIONAL: dict[str, Shape] = {
    "description": text("What it is for."),
    "status": choice("A draft is checked and tried, but watches nothing.", "active", "draft"),
    "feed": text("The feed it watches; a composite and a correlation name theirs themselves."),
    "subject": SUBJECT,
    "region": REGION,
    "where": WHERE,
    "for": duration("How long a level must hold before it is warned of."),
    "keep_open_for": duration("How long a level stays when the value no longer reaches it."),
    "recovery": {
        "oneOf": [
            number("The warning ends on the safe side of this; the lowest level's bound by default."),
            {
                **record(
                    "When the warning ends.",
                    {},
                    {
                        "threshold": number("On the safe side of this."),
                        "for": duration("For at least this long."),
                    },
                ),
                "minProperties": 1,
            },
        ],
        "description": "When a warning ends.",
    },
    "flapping": record(
        "Damping: from so many rises within a span on, a level falls only after that span below it.",
        {
            "rises": {"type": "integer", "minimum": 2, "description": "Openings and raisings."},
            "within": span("The span."),
        },
        {},
    ),
    "quiet": {"type": "array", "items": QUIET, "minItems": 1, "description": "Quiet hours, Asia/Shanghai."},
    "maintenance": {"type": "array", "items": SPAN, "minItems": 1, "description": "Maintenance windows."},
    "wait": duration("How long late events are waited for; then they are judged in order of time."),
    "examples": {"type": "array", "items": EXAMPLE, "description": "Examples; each is a test."},
}
