"""Episodes: one open warning a rule and subject, and the transitions of its life.

A subject's record is a small list, kept flat because there are many of them: see the indices below. Times are
milliseconds since the Unix epoch, in event time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.levels import BY_RANK
from schemas.subject import SEPARATOR, before
from streams.watch.declare.rule import Rule

START, LEVEL, ORDINAL, REGION, OWN, DWELL, HELD = range(7)
"""A record: start of the last episode, its open level's rank (0: none open), transitions so far, region, what the
condition keeps for itself, what is pending or falling (`dwell.py`), and events held back until `wait` is over."""

Record = list[Any]


def new_record(region: str, own: Any) -> Record:
    """The record of a subject seen for the first time."""
    return [0, 0, 0, region, own, None, None]


@dataclass(frozen=True)
class Transition:
    """One step of an episode, with the evidence it was decided on.

    `at` is event time in milliseconds; `value` and `threshold` are in the unit of the rule's condition (seconds
    for an absence; None where a window was empty). `offset` is the record that brought it about, `watermark` the
    event time reached then. `details` is what else the decision rests on, by name.
    """

    rule: str
    rule_version: int
    timeline: str
    subject: str
    region: str
    kind: str
    level: str
    previous: str
    episode: str
    ordinal: int
    at: int
    value: float | None
    threshold: float
    topic: str
    partition: int
    offset: int
    watermark: int
    details: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """(episode, ordinal): raised, lowered and raised again are three."""
        return f"{self.episode}#{self.ordinal}"


@dataclass(frozen=True)
class Moment:
    """What moved the rule: the record's place in the log and the watermark after it."""

    topic: str
    partition: int
    timeline: str
    offset: int
    watermark: int


Emit = Callable[[Transition], None]
Details = tuple[tuple[str, Any], ...]


def move(
    rule: Rule,
    subject: str,
    record: Record,
    kind: str,
    rank: int,
    value: float | None,
    at: int,
    now: Moment,
    emit: Emit,
    details: Details = (),
) -> None:
    """Make one transition: change the record and emit it. An episode reopened at its own start goes on."""
    previous = record[LEVEL]
    if kind == "opened" and at != record[START]:
        record[START], record[ORDINAL] = at, 0
    record[LEVEL] = rank
    record[ORDINAL] += 1
    shown = rank or previous
    emit(
        Transition(
            rule=rule.id,
            rule_version=rule.version,
            timeline=now.timeline,
            subject=subject,
            region=record[REGION],
            kind=kind,
            level=BY_RANK[shown],
            previous=BY_RANK[previous],
            episode=episode_id(rule, now.timeline, subject, record[START]),
            ordinal=record[ORDINAL],
            at=at,
            value=value,
            threshold=rule.bound(rank) if rank else rule.recovery,
            topic=now.topic,
            partition=now.partition,
            offset=now.offset,
            watermark=now.watermark,
            details=details,
        )
    )


def cancel(rule: Rule, subject: str, record: Record, reason: str, now: Moment, emit: Emit) -> None:
    """Close an open episode for a reason that is not its subject's, such as `rule-changed`."""
    at = max(now.watermark, record[START])
    move(rule, subject, record, "cancelled", 0, None, at, now, emit, (("reason", reason),))
    record[DWELL] = record[HELD] = None


def episode_id(rule: Rule, timeline: str, subject: str, start: int) -> str:
    """(rule, subject, start), and the timeline where it is a replay's."""
    began = datetime.fromtimestamp(start / 1000, UTC).isoformat(timespec="milliseconds")
    place = f"{rule.id}@{before(timeline, SEPARATOR)}" if timeline else rule.id
    return f"{place}|{subject}|{began}"
