"""What all conditions share: subjects, filters, and which buckets of subjects have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from streams.watch.episode import Emit, Moment, Record, new_record
from streams.watch.rule import Rule

Row = tuple[Any, int, int, int]
"""(data or None for a tick, time ms, watermark ms after the row, offset)."""


class Condition:
    """The state of one rule in one partition and timeline, and how rows change it."""

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        self.rule = rule
        self.records: dict[str, Record] = {}
        self.touched: set[str] = set()
        self._topic, self._partition, self._timeline = topic, partition, timeline
        self._region = attrgetter(region_field) if region_field else lambda data: ""
        self._wait = rule.wait * 1000

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Take rows in log order; emit the transitions they make."""
        raise NotImplementedError

    def restored(self) -> None:
        """Called once the records have been put back after a restart; derived values are made again here."""

    def _moment(self, offset: int, watermark: int) -> Moment:
        return Moment(self._topic, self._partition, self._timeline, offset, watermark)

    def _record(self, subject: str, data: Any, own: Any) -> Record:
        """The record of a subject not seen before."""
        record = self.records[subject] = new_record(self._region(data), own)
        return record


def subject_of(rule: Rule) -> Callable[[Any], str]:
    """How to read a rule's subject from an event's data: the field, or the fields joined by `|`."""
    if len(rule.subject) == 1:
        one = attrgetter(rule.subject[0])
        return lambda data: str(one(data))
    many = attrgetter(*rule.subject)
    return lambda data: "|".join(map(str, many(data)))


def matcher(rule: Rule) -> Callable[[Any], bool] | None:
    """The rule's `where` as a test on an event's data; None where it has none."""
    if not rule.where:
        return None
    if len(rule.where) == 1:
        (name, wanted) = rule.where[0]
        one = attrgetter(name)
        return lambda data: bool(one(data) == wanted)
    many = attrgetter(*(name for name, _ in rule.where))
    expected = tuple(value for _, value in rule.where)
    return lambda data: bool(many(data) == expected)
