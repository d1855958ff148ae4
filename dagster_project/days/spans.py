"""Spans of days, and how to cut or join them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Every day of the span."""
        return [self.first + DAY * n for n in range((self.last - self.first).days + 1)]

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def chunks(rows: Mapping[date, int], most: int) -> list[Span]:
    """Cut days into spans of at most `most` rows each (one day is never cut)."""
    found: list[Span] = []
    held = 0
    for day in sorted(rows):
        if found and held + rows[day] <= most:
            found[-1] = Span(found[-1].first, day)
            held += rows[day]
        else:
            found.append(Span(day, day))
            held = rows[day]
    return found


def gather(days: Iterable[date], most: int) -> list[Span]:
    """Join days to at most `most` spans, closing the smallest gaps first; days in a closed gap come along."""
    spans: list[Span] = []
    for day in sorted(set(days)):
        if spans and day - spans[-1].last == DAY:
            spans[-1] = Span(spans[-1].first, day)
        else:
            spans.append(Span(day, day))
    while len(spans) > most:
        at = min(range(len(spans) - 1), key=lambda n: spans[n + 1].first - spans[n].last)
        spans[at : at + 2] = [Span(spans[at].first, spans[at + 1].last)]
    return spans
