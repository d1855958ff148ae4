"""The form of rule files: which keys there are, what each holds. Reader and JSON Schema both go by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.declaration import Entry
from schemas.forms import Form, Key, inner, key, keys, may, something
from schemas.levels import RISING
from schemas.names import LONGEST_ID
from schemas.shapes import (
    ByKind,
    Shape,
    among,
    barred,
    duration,
    each,
    either,
    free,
    later,
    moment,
    number,
    text,
    texts,
    whole,
)  # fmt: skip
from streams.watch.declare.calendar import WEEKDAYS
from streams.watch.declare.condition_form import FORMS, SOME, Condition, region, subject, where

ID = r"^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$"
STEPS = ("opened", "raised", "lowered", "recovered", "cancelled")
CLOCK = text(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", said='must be a time of day in quotes, such as "22:00"')


def _condition(entry: Entry) -> Condition:
    """A condition in the form of its kind."""
    return FORMS[entry.mapping(["kind"])["kind"].text(tuple(FORMS))].read(entry)


CONDITION = Shape(
    _condition, {"type": "object", "properties": {"kind": {"enum": list(FORMS)}}, "required": ["kind"]}
)


def waits(kind: str) -> bool:
    """Whether the levels of a kind are durations."""
    return FORMS[kind].bound is SOME


def _dwell(kind: str) -> Shape[int]:
    if waits(kind):
        return barred(f"levels of the kind {kind} are durations themselves; leave it out")
    return duration()


def _levels(kind: str) -> Shape[Any]:
    bound = FORMS[kind].bound
    dwell = Key("for", _dwell(kind), "How long this level must hold.")
    return among(RISING, either(dict, keys(Key("threshold", bound, required=True), dwell), bound))


def _recovery(kind: str) -> Shape[Any]:
    said = f"a warning of {kind} ends with the event it waits for; leave the threshold out"
    safe: Shape[float] = barred(said) if waits(kind) else number()
    threshold = Key("threshold", safe, "On the safe side of this.")
    dwell = Key("for", duration(), "For at least this long.")
    return either(dict, keys(threshold, dwell, laws=(something("must have threshold, for, or both"),)), safe)


class Title(Form):
    """One line for the officer on duty."""

    zh: str = key(text(), "Chinese.")
    en: str = key(text(), "English.")


class FlappingForm(Form):
    """Damping: from so many rises within a span on, a level falls only after that span below it."""

    rises: int = key(whole(2), "Openings and raisings.")
    within: int = key(SOME, "The span.")


class QuietForm(Form):
    """Hours in which nothing opens or rises."""

    from_: str = key(CLOCK, "Time of day.")
    to: str = key(CLOCK, "Time of day.")
    days: tuple[str, ...] = may(
        texts(*WEEKDAYS), "Days on which they begin; every day by default.", default=WEEKDAYS
    )
    up_to: str = may(
        text(*RISING),
        "The highest level held back; orange by default, so that red is never.",
        default="orange",
    )


class Span(Form):
    """A span in which nothing is judged."""

    from_: datetime = key(moment(), "Its begin.")
    to: datetime = key(moment(), "Its end.")
    subjects: tuple[str, ...] = may(texts(), "Whose; all by default.", default=())
    regions: tuple[str, ...] = may(texts(), "GB/T 2260 codes with all that lies in them.", default=())


class Event(Form):
    """An event of an example."""

    time: datetime = key(moment(), "When it occurs.")
    data: Mapping[str, Any] = key(free(), "Its data.")
    repeat: int = may(whole(1), "How often it comes.", default=1)
    every: int = may(duration(), "How far apart.", default=0)
    feed: str = may(text(), "Its feed, where the rule reads several.", default="")


class Step(Form):
    """A transition."""

    subject: str = key(text(), "Whose.")
    kind: str = key(text(*STEPS), "What happened.")
    level: str = may(text(*RISING), "The level after it.", default="")


class ExampleForm(Form):
    """Events and the transitions they must make."""

    name: str = key(text(), "What it shows.")
    events: tuple[Event, ...] = key(each(inner(Event)), "In order of arrival.")
    warns: tuple[Step, ...] = key(
        each(inner(Step)), "All transitions, in order; none where nothing must be warned of."
    )
    until: datetime | None = may(moment(), "The clock at the end, where silence matters.", default=None)
    baseline: tuple[Mapping[str, Any], ...] = may(
        each(free()), "{subject, slot, mean, sd} each: what the rule compares with.", default=()
    )


class RuleForm(Form):
    """When a subject is in danger, how badly, and what the officer does about it."""

    rule: str = key(
        text(
            pattern=ID, said="must be <domain>.<rule> in lower case, digits and hyphens", longest=LONGEST_ID
        ),
        "Its id, <domain>.<rule>; in the folder of rules as the file's place says.",
    )
    version: int = key(whole(1), "Raised with each change.")
    title: Title = key(inner(Title))
    condition: Condition = key(CONDITION, "When a subject is in danger.")
    levels: Mapping[str, Any] = key(ByKind("condition", _levels), "Levels and their bounds, rising.")
    runbook: str = key(text(), "What to do; {subject}, {region}, {level}, {value} are filled in.")
    duty_role: str = key(text(), "Whose duty it is.")
    description: Any = may(later(text()), "What it is for.", default=None)
    status: str = may(
        text("active", "draft"), "A draft is checked and tried, but watches nothing.", default="active"
    )
    feed: str = may(
        text(), "The feed it watches; a composite and a correlation name theirs themselves.", default=""
    )
    subject: tuple[str, ...] = subject()
    region: tuple[str, ...] = region()
    where: Mapping[str, Any] | None = where()
    for_: int = may(
        ByKind("condition", _dwell), "How long a level must hold before it is warned of.", default=0
    )
    keep_open_for: int = may(
        duration(), "How long a level stays when the value no longer reaches it.", default=0
    )
    recovery: Any = may(
        ByKind("condition", _recovery),
        "The warning ends on the safe side of this; the lowest level's bound by default.",
        default=None,
    )
    flapping: FlappingForm | None = may(inner(FlappingForm), default=None)
    quiet: tuple[QuietForm, ...] = may(
        each(inner(QuietForm), least=1), "Quiet hours, Asia/Shanghai.", default=()
    )
    maintenance: tuple[Span, ...] = may(each(inner(Span), least=1), "Maintenance windows.", default=())
    wait: int = may(
        duration(), "How long late events are waited for; then they are judged in order of time.", default=0
    )
    examples: tuple[ExampleForm, ...] = may(each(inner(ExampleForm)), "Examples; each is a test.", default=())
