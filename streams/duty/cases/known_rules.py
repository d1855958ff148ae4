"""Which rules there are: the files', those that have cases, and whatever was published from a file anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import sqlalchemy as sa

from schemas.errors import Unavailable
from streams.duty.database.database import Database
from streams.duty.database.models import Case
from streams.watch.publish.published import RULE as KIND
from streams.watch.publish.rule_topic import read_history

RULE = "duty.roster-hole"
"""The rule of holes in the roster, which no file declares."""

Published = Callable[[], Collection[str]]
"""The ids of all rules that were ever published; Unavailable where the broker is away."""


def published_at(bootstrap: str) -> Published:
    """Reads the topic of rules at this broker; for a thread without a loop of its own."""

    def read() -> Collection[str]:
        history = asyncio.run(read_history(bootstrap))
        return {entry.rule for _, entry in history.records if entry.kind == KIND}

    return read


def known_rules(
    database: Database, published: Published, asked: Collection[str], declared: Collection[str]
) -> frozenset[str]:
    """The rules there are; the broker is asked only for one that is not declared and that no case knows."""
    if not asked:
        return frozenset()
    known = {RULE, *declared}
    if set(asked) <= known:
        return frozenset(known)
    with database.reading() as session:
        known.update(session.scalars(sa.select(Case.rule).where(Case.rule.in_(asked)).distinct()))
    if unknown := sorted(set(asked) - known):
        try:
            known.update(published())
        except Unavailable as error:
            raise Unavailable(f"{error}; whether {', '.join(unknown)} was published is not known") from error
    return frozenset(known)
