"""Tells other catalogues of each step of a build, as OpenLineage events.

What makes and sends these events is imported by the first step: who only loads the project has no use for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dagster_project.build.feed import Built
from dagster_project.days.attempt import Attempt
from dagster_project.release.publish import Published
from quality.gate import Judged
from quality.suites import Suite
from schemas.settings import Settings

if TYPE_CHECKING:
    from dagster_project.share.open_lineage.datasets import Table
    from dagster_project.share.open_lineage.outlet import Outlet


def no_tables() -> Iterable[Table]:
    """Nothing is told."""
    return ()


class Post:
    """Tells of each step of a build of the tables it knows: those that `tables` gives at the first step."""

    def __init__(self, settings: Settings, tables: Callable[[], Iterable[Table]]) -> None:
        self._settings, self._known = settings, tables

    @cached_property
    def outlet(self) -> Outlet:
        """What makes events and sends them."""
        from dagster_project.share.open_lineage.outlet import Outlet

        return Outlet(self._settings, self._known())

    def begun(self, table: str, attempt: Attempt) -> None:
        """A table begins to be built."""
        if known := self.outlet.tables.get(table):
            self.outlet.send([self.outlet.events.begun(known, attempt, datetime.now(UTC))])

    def built(self, table: str, attempt: Attempt, built: Sequence[Built]) -> None:
        """Its candidate rows are there."""
        if known := self.outlet.tables.get(table):
            self.outlet.send([self.outlet.events.built(known, attempt, built, datetime.now(UTC))])

    def failed(self, table: str, attempt: Attempt, error: Exception) -> None:
        """It could not be built."""
        if known := self.outlet.tables.get(table):
            self.outlet.send([self.outlet.events.failed(known, attempt, error, datetime.now(UTC))])

    def judged(self, table: str, attempt: Attempt, suite: Suite, judged: Judged, begun: datetime) -> None:
        """The gate has judged it."""
        if (known := self.outlet.tables.get(table)) and judged.verdicts:
            self.outlet.send(
                self.outlet.events.judged(known, attempt, suite, judged, begun, datetime.now(UTC))
            )

    def released(self, attempt: Attempt, published: Published, begun: datetime) -> None:
        """What passed is published."""
        if self.outlet.tables:
            tables, at = self.outlet.tables.values(), datetime.now(UTC)
            self.outlet.send(self.outlet.events.released(tables, attempt, published, begun, at))
