"""Episodes: one open warning a rule and subject, and the transitions of its life.

A subject's record is a small list, kept flat because there are many of them: see the indices below. Times are
milliseconds since the Unix epoch, in event time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.watch.rule import LEVELS, Rule

START, LEVEL, ORDINAL, REGION, OWN = range(5)
"""A record: start of the last episode, its open level's rank (0: none open), transitions so far, region, and
what the condition keeps for itself."""

Record = list[Any]


def new_record(region: str, own: Any) -> Record:
    """The record of a subject seen for the first time."""
    return [0, 0, 0, region, own]


@dataclass(frozen=True)
class Transition:
    """One step of an episode, with the evidence it was decided on.

    `at` is event time in milliseconds; `value` and `threshold` are in the unit of the rule's condition (seconds
    for an absence). `offset` is the record that brought it about, `watermark` the event time reached then.
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
    value: float
    threshold: float
    topic: str
    partition: int
    offset: int
    watermark: int

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


def judge(rule: Rule, subject: str, record: Record, value: float, at: int, now: Moment, emit: Emit) -> None:
    """Move a subject's episode to what its value says, with hysteresis: it stays open down to `recovery`."""
    rank = rule.rank(value)
    open_rank = record[LEVEL]
    if open_rank and not rank and value >= rule.recovery:
        rank = rule.bounds[-1][0]
    if rank == open_rank:
        return
    if not open_rank:
        move(rule, subject, record, "opened", rank, value, at, now, emit)
    elif not rank:
        move(rule, subject, record, "recovered", 0, value, at, now, emit)
    else:
        kind = "raised" if rank > open_rank else "lowered"
        move(rule, subject, record, kind, rank, value, at, now, emit)


def move(
    rule: Rule,
    subject: str,
    record: Record,
    kind: str,
    rank: int,
    value: float,
    at: int,
    now: Moment,
    emit: Emit,
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
            level=LEVELS[shown],
            previous=LEVELS[previous],
            episode=episode_id(rule, now.timeline, subject, record[START]),
            ordinal=record[ORDINAL],
            at=at,
            value=value,
            threshold=rule.bound(rank) if rank else rule.recovery,
            topic=now.topic,
            partition=now.partition,
            offset=now.offset,
            watermark=now.watermark,
        )
    )


def episode_id(rule: Rule, timeline: str, subject: str, start: int) -> str:
    """(rule, subject, start), and the timeline where it is a replay's."""
    began = datetime.fromtimestamp(start / 1000, UTC).isoformat(timespec="milliseconds")
    place = f"{rule.id}@{timeline}" if timeline else rule.id
    return f"{place}|{subject}|{began}"
