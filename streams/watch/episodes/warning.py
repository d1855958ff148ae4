"""A transition as an event of the feed `duty.warning`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.event import encode_event
from schemas.topics import WARNING_TYPE
from streams.watch.declare.rule import Rule
from streams.watch.declare.templates import render
from streams.watch.episodes.episode import Transition

SOURCE = "/liaowang/watch"
LONG = 1e15
"""From here on a whole number is told by its power of ten."""
NOTHING = "-"
"""Stands for a subject without any text: of fields that are optional."""
TYPE = WARNING_TYPE


def encode_warning(transition: Transition, rules: Mapping[str, Rule], log: str = "") -> bytes:
    """The transition as CloudEvents bytes; its id is the event's id, its event time the event's time.

    `log` is the id of the log it was decided on, where that is known.
    """
    rule = rules[transition.rule]
    at = datetime.fromtimestamp(transition.at / 1000, UTC)
    evidence = evidence_of(transition, log)
    data = {
        "rule": transition.rule,
        "rule_version": transition.rule_version,
        "subject": _filled(transition.subject, NOTHING),
        "region": transition.region or None,
        "kind": transition.kind,
        "level": transition.level,
        "previous": transition.previous or None,
        "episode": transition.episode,
        "ordinal": transition.ordinal,
        "at": at.isoformat(),
        "value": transition.value,
        "threshold": transition.threshold,
        "evidence": json.dumps(evidence, separators=(",", ":"), ensure_ascii=False, default=str),
        "title": _filled(render(rule.title, _words(transition)), rule.id),
        "runbook": _filled(render_runbook(rule, transition), rule.id),
        "duty_role": rule.duty_role,
    }
    return encode_event(
        id=transition.id, source=SOURCE, type=TYPE, time=at, data=data, timeline=transition.timeline
    )


def _filled(text: str, otherwise: str) -> str:
    """The text, or what stands for one of blanks, which is no value of a required field."""
    return text if text.strip() else otherwise


def evidence_of(transition: Transition, log: str = "") -> dict[str, Any]:
    """What a transition was decided on: its place in the log, the watermark then (ms), and the details.

    A topic that is deleted and made anew is another log: `log` tells them apart, as their offsets do not.
    """
    return {
        "topic": transition.topic,
        **({"log": log} if log else {}),
        "partition": transition.partition,
        "offset": transition.offset,
        "watermark": transition.watermark,
        **{name: _plain(value) for name, value in transition.details},
    }


def _plain(value: Any) -> Any:
    """A detail as JSON has it: no number that is infinite or none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render_runbook(rule: Rule, transition: Transition) -> str:
    """The rule's runbook with subject, region, level, value and threshold filled in."""
    return render(rule.runbook, _words(transition))


def _words(transition: Transition) -> dict[str, object]:
    """What a title or runbook may speak of."""
    return {
        "subject": transition.subject, "region": transition.region, "level": transition.level,
        "value": shown(transition.value), "threshold": shown(transition.threshold),
    }  # fmt: skip


def shown(value: float | None) -> str:
    """A figure as people read it: whole numbers whole, others and very long ones with six digits."""
    if value is None:
        return ""
    whole = 1e6 <= abs(value) < LONG or (abs(value) < LONG and value == int(value))
    return f"{value:.0f}" if whole else f"{value:g}"
