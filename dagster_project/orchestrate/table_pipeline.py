"""Building one table of an attempt: rows, verdicts, what the Data Docs are made of; the same for every job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version

from dagster_project.build.checkpoint import note
from dagster_project.build.feed import Built, Progress, build_feed
from dagster_project.build.index import Index, build_index
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_build import build_indicator
from dagster_project.days.attempt import Attempt
from dagster_project.days.spans import Span
from dagster_project.gate.judge import fail, feed_suite, indicator_suite, judge_feed, judge_indicator
from dagster_project.gate.senders import update_sender_tasks
from dagster_project.gate.tasks import update_tasks
from dagster_project.release.publish import Published, publish
from dagster_project.share.lineage import Trace, trace
from dagster_project.share.open_lineage.post import Post, no_tables
from dagster_project.warehouse import Warehouse
from quality.days import keep_verdicts
from quality.gate import Judged
from quality.suites import Suite
from schemas.contract import Contract
from schemas.errors import LiaowangError
from schemas.settings import Settings

GATE = "gate"


class Stage(StrEnum):
    """How far a table of a run is."""

    BUILT = "built"
    JUDGED = "judged"
    PUBLISHED = "published"


@dataclass(frozen=True)
class Step:
    """One step of a run: the days that are built, or that the whole table is judged, the release published."""

    stage: Stage
    span: Span | None = None


Watch = Callable[[str, Step], None]
Made = tuple[list[Built], Judged]


@dataclass(frozen=True)
class Owner:
    """Who answers for a table, and by which suite it is judged."""

    department: str
    suite: Suite


@dataclass(frozen=True)
class TablePipeline:
    """What all jobs share. `watch(table, step)` hears of each step, `post` tells other catalogues.

    `trace` says which columns an indicator's SQL reads. `attempts` has that of the run at hand, by run and span.
    """

    settings: Settings
    contracts: Mapping[str, Contract]
    indicators: Mapping[str, Indicator]
    watch: Watch
    indexes: Mapping[str, Index] = field(default_factory=dict)
    post: Post = field(default_factory=lambda: Post(Settings(), no_tables))
    trace: Trace = trace
    attempts: dict[tuple[str, Span], Attempt] = field(default_factory=dict, compare=False)

    @property
    def figured(self) -> list[Indicator]:
        """Everything with figures: the indicators, and after them the indices made of them."""
        return [*self.indicators.values(), *(index.indicator for index in self.indexes.values())]

    @property
    def lookback(self) -> int:
        """How many days before a figure's own what it is made of may lie."""
        return max((item.reach for item in self.figured), default=1)

    def feed(self, open: Warehouse, contract: Contract, attempt: Attempt, log: logging.Logger) -> Made:
        """Build and judge a feed's days."""

        def make(tell: Progress) -> list[Built]:
            return build_feed(open, contract, attempt, tell)

        def judge(built: list[Built]) -> Judged:
            return judge_feed(self.settings, open, contract, attempt, built, datetime.now(UTC))

        owner = Owner(contract.department, feed_suite(contract))
        made = self._made(open, contract.table, attempt, log, make, judge, owner)
        if contract.older:
            self._tell_senders(open, contract, attempt, log)
        return made

    def _tell_senders(
        self, open: Warehouse, contract: Contract, attempt: Attempt, log: logging.Logger
    ) -> None:
        """Open or resolve the task about who still sends an older version; it keeps no table back."""
        newest = self.contracts[contract.family].event_type
        try:
            task = update_sender_tasks(open, contract, newest, attempt.build_id, datetime.now(UTC))
        except Exception:
            log.exception(f"{contract.feed}: who still sends it is not known; the next build asks again")
            return
        if task:
            log.warning(f"quality task {task.task} of {task.department}: {task.state}")

    def figures(self, open: Warehouse, indicator: Indicator, attempt: Attempt, log: logging.Logger) -> Made:
        """Build and judge the periods of an indicator or an index."""
        index = next((item for item in self.indexes.values() if item.indicator == indicator), None)

        def make(tell: Progress) -> list[Built]:
            if index is None:
                return build_indicator(open, indicator, attempt, tell)
            return build_index(open, index, attempt, tell)

        def judge(built: list[Built]) -> Judged:
            return judge_indicator(self.settings, open, indicator, attempt, built, datetime.now(UTC))

        owner = Owner(indicator.owner, indicator_suite(indicator))
        return self._made(open, indicator.table, attempt, log, make, judge, owner)

    def publish(self, open: Warehouse, attempt: Attempt) -> Published:
        """Publish what the attempt built and passed."""
        lock, code, begun = self.settings.home / "release.lock", version("liaowang"), datetime.now(UTC)
        published = publish(open, attempt, lock, code, begun, self.lookback)
        self.post.released(attempt, published, begun)
        return published

    def _made(
        self,
        open: Warehouse,
        table: str,
        attempt: Attempt,
        log: logging.Logger,
        make: Callable[[Progress], list[Built]],
        judge: Callable[[list[Built]], Judged],
        owner: Owner,
    ) -> Made:
        """Build and judge; an error of this table alone is a failed verdict, so that the others go on."""

        def tell(span: Span) -> None:
            log.info(f"{table}: {span} built")
            self.watch(table, Step(Stage.BUILT, span))

        self.post.begun(table, attempt)
        try:
            built = make(tell)
            self.post.built(table, attempt, built)
            begun, at = time.perf_counter(), datetime.now(UTC)
            judged = judge(built)
            days = [verdict.day for verdict in judged.verdicts]
            note(open, attempt, f"gate of {table}", days, time.perf_counter() - begun)
            self.post.judged(table, attempt, owner.suite, judged, at)
        except LiaowangError as error:
            self.post.failed(table, attempt, error)
            raise
        except Exception as error:
            log.exception(f"{table} could not be built; the other tables go on")
            self.post.failed(table, attempt, error)
            built, judged = [], fail(open, table, attempt, error, datetime.now(UTC))
        self._keep(table, attempt, owner.suite, judged)
        for task in update_tasks(open, owner.department, owner.suite, judged, datetime.now(UTC)):
            log.warning(f"quality task {task.task} of {task.department}: {task.state}")
        self.watch(table, Step(Stage.JUDGED))
        return built, judged

    def _keep(self, table: str, attempt: Attempt, suite: Suite, judged: Judged) -> None:
        """Keep what the Data Docs are made of; pages are written after the run."""
        home, now, page = self.settings.home, datetime.now(UTC), ""
        if judged.result is not None:
            from quality.docs import keep_result  # imports Great Expectations, as who has judged has done

            days = [verdict.day for verdict in judged.verdicts]
            page = keep_result(home, attempt.build_id, f"{table} {min(days)} {max(days)}", judged.result, now)
        keep_verdicts(home, table, suite, judged.verdicts, now, page)
