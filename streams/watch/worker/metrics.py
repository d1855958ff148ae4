"""What the watch worker tells Prometheus. Everything is read when it is asked for; nothing is counted twice.

Counters are since the start of the worker; a partition that goes to another worker takes its figures with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from faust.types import TP
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.event import LIVE
from schemas.levels import BY_RANK
from streams.watch.engine.batches import BEGINNING
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import LEVEL
from streams.watch.worker.state import StateKeeper

Stage = Partition | SecondStage


class Watched(Protocol):
    """What is read of a watcher."""

    @property
    def keepers(self) -> dict[TP, StateKeeper[Stage]]:
        """The open partitions and their state."""

    def positions(self) -> Mapping[TP, int | None]:
        """The next record to apply in each partition of this worker; None where none was applied yet."""

    def feeds(self) -> list[Partition]:
        """The feed partitions open now."""

    def seconds(self) -> list[SecondStage]:
        """The second-stage partitions open now."""

    def epoch(self) -> int:
        """The rule epoch of the newest rules known here."""


class WatchMetrics(Collector):
    """The worker's metrics, made from what its partitions hold at the moment of asking."""

    def __init__(self, watched: Watched, end: Callable[[TP], int | None]) -> None:
        """`end`: where a partition ends at the broker, where that is known."""
        self._watched, self._end = watched, end

    def collect(self) -> Iterator[Metric]:
        """All metrics; the list stands in docs/operations.md."""
        keepers = dict(self._watched.keepers)
        yield from self._places(keepers)
        yield from self._counts()
        yield from self._rules(keepers)
        yield GaugeMetricFamily(
            "liaowang_watch_rules_epoch", "Epoch of the newest rules this worker knows", self._watched.epoch()
        )

    def _places(self, keepers: dict[TP, StateKeeper[Stage]]) -> Iterator[Metric]:
        where = ["topic", "partition"]
        lag = GaugeMetricFamily(
            "liaowang_watch_lag_records", "Records behind the end of the log", labels=where
        )
        mark = GaugeMetricFamily(
            "liaowang_watch_watermark_seconds",
            "Event time reached on the live timeline, Unix time",
            labels=where,
        )
        size = GaugeMetricFamily("liaowang_watch_state_bytes", "Size of the state that is kept", labels=where)
        for tp, position in self._watched.positions().items():
            end = self._end(tp)
            if end is not None:  # before the first fetch nobody knows, and 0 would say that all is well
                lag.add_metric([tp.topic, str(tp.partition)], max(0, end - (position or 0)))
        for tp, keeper in keepers.items():
            place, stage = [tp.topic, str(tp.partition)], keeper.partition
            if isinstance(stage, Partition) and LIVE in stage.lanes:
                watermark = stage.lanes[LIVE].watermark
                if watermark > BEGINNING:
                    mark.add_metric(place, watermark / 1000)
            size.add_metric(place, keeper.size)
        yield from (lag, mark, size)

    def _counts(self) -> Iterator[Metric]:
        told = {
            "events": "Events that keep their contract",
            "ticks": "Ticks",
            "rejected": "Records that break their contract",
            "duplicates": "Events that came before",
            "late": "Events too late for every rule",
        }
        for name, text in told.items():
            family = CounterMetricFamily(f"liaowang_watch_{name}", text, labels=["topic", "partition"])
            for each in self._watched.feeds():
                family.add_metric([each.topic, str(each.partition)], getattr(each.tally, name))
            yield family
        late = CounterMetricFamily(
            "liaowang_watch_rekeyed_late", "Rows too late for a re-keyed rule", labels=["topic", "partition"]
        )
        for each in self._watched.feeds():
            rows = sum(lane.gathering.late for lane in each.lanes.values())
            late.add_metric([each.topic, str(each.partition)], rows)
        waiting = GaugeMetricFamily(
            "liaowang_watch_rekeyed_waiting",
            "Rows that wait for the slowest input partition",
            labels=["partition"],
        )
        for second in self._watched.seconds():
            rows = sum(len(rows) for lane in second.lanes.values() for rows in lane.waiting.values())
            waiting.add_metric([str(second.partition)], rows)
        yield from (late, waiting)

    def _rules(self, keepers: dict[TP, StateKeeper[Stage]]) -> Iterator[Metric]:
        seconds: Counter[str] = Counter()
        records: Counter[str] = Counter()
        beyond: Counter[str] = Counter()
        opened: Counter[tuple[str, str]] = Counter()
        for keeper in keepers.values():
            seconds.update(keeper.partition.tally.seconds)
            for _, each in keeper.partition.conditions():
                rows = list(each.records.values())
                records[each.rule.id] += len(rows)
                beyond[each.rule.id] += each.late
                opened.update((each.rule.id, BY_RANK[row[LEVEL]]) for row in rows if row[LEVEL])
        spent = CounterMetricFamily(
            "liaowang_watch_evaluation_seconds", "Time spent on a rule", labels=["rule"]
        )
        late = CounterMetricFamily(
            "liaowang_watch_rule_late", "Events that came later than the rule's wait", labels=["rule"]
        )
        held = GaugeMetricFamily("liaowang_watch_subjects", "Subjects a rule remembers", labels=["rule"])
        episodes = GaugeMetricFamily(
            "liaowang_watch_open_episodes", "Open warnings", labels=["rule", "level"]
        )
        for rule, value in sorted(seconds.items()):
            spent.add_metric([rule], value)
        for rule, count in sorted(beyond.items()):
            late.add_metric([rule], count)
        for rule, count in sorted(records.items()):
            held.add_metric([rule], count)
        for (rule, level), count in sorted(opened.items()):
            episodes.add_metric([rule, level], count)
        yield from (spent, late, held, episodes)
