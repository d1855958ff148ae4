"""The program `ticker`: the live clock of every feed, one ticker of all that run at a time."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.contract import load_contracts
from schemas.in_use import in_use
from schemas.settings import Settings
from streams.http_guard import guard_of
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.lease import GroupLease
from streams.intake.stamp import stamp_of, write_stamp
from streams.intake.ticker import Ticker
from streams.metrics_port import serve
from streams.stopping import stop_on_signals
from streams.waits import Waits
from streams.watch.publish.rule_topic import RuleEpochReader
from streams.worker import heartbeat, start_logging

log = logging.getLogger("liaowang.ticker")

NAME = "ticker"
LINGER_MS = 10
"""Ticks wait so long for each other, so that a round goes to the broker in a few requests."""


class TickerMetrics(Collector):
    """What the ticker tells Prometheus, made from what it holds at the moment of asking."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker

    def collect(self) -> Iterator[Metric]:
        """All metrics; the list stands in docs/operations.md."""
        ticker, health = self._ticker, self._ticker.health
        ticks = CounterMetricFamily("liaowang_ticker_ticks", "Ticks acknowledged", labels=["topic"])
        for topic, count in sorted(ticker.ticks.copy().items()):
            ticks.add_metric([topic], count)
        yield ticks
        for name, text, value in (
            ("leads", "1 where this ticker ticks, 0 where it stands by", float(ticker.leads)),
            ("failures", "Rounds that failed since the last that did not", float(health.failures)),
            ("rules_epoch", "Epoch of the rules that ticks carry", float(ticker.epoch)),
        ):
            yield GaugeMetricFamily(f"liaowang_ticker_{name}", text, value)
        if health.last is not None:
            text = "When all ticks of a round were acknowledged, Unix time"
            yield GaugeMetricFamily("liaowang_ticker_last_round_seconds", text, health.last.timestamp())


def main(settings: Settings, again: Callable[[], Settings] | None = None) -> None:
    """Tick all feeds in the foreground until SIGTERM or SIGINT; stand by while another ticker does.

    SIGHUP: tick the feeds of the declarations there are now, by the settings that `again` reads; those of before
    where they are wrong.
    """
    start_logging()
    for library in ("aiokafka", "kafka"):  # they write a line a try; the ticker says once what is the matter
        logging.getLogger(library).setLevel(logging.CRITICAL)
    told, contracts = stamp_of(settings), load_contracts(in_use(settings).feeds)
    producer, epochs = AcknowledgedProducer(settings.kafka, LINGER_MS), RuleEpochReader(settings.kafka)
    ticker = Ticker(
        contracts.values(),
        producer,
        settings.tick_seconds,
        partial(datetime.now, UTC),
        epochs.latest,
        GroupLease(settings.kafka),
        heartbeat(settings, NAME),
    )
    write_stamp(settings, NAME, told)
    serve(TickerMetrics(ticker), settings.ticker_port, guard_of(settings, password=True), "ticker_port")
    try:
        asyncio.run(_run(ticker, settings, again))
    finally:
        producer.close()
        epochs.close()


async def _run(ticker: Ticker, settings: Settings, again: Callable[[], Settings] | None) -> None:
    stop, loop = stop_on_signals(), asyncio.get_running_loop()
    if again is not None:
        loop.add_signal_handler(signal.SIGHUP, partial(loop.run_in_executor, None, take_again, ticker, again))
    await ticker.run(stop, Waits(settings.home, NAME, time.time).of("ticks"))


def take_again(ticker: Ticker, again: Callable[[], Settings]) -> None:
    """Have a ticker tick the feeds there are now; where they are wrong, those of before, and the log says why."""
    try:
        settings = again()
        told, contracts = stamp_of(settings), load_contracts(in_use(settings).feeds)
        ticker.take(contracts.values())
        write_stamp(settings, NAME, told)
    except Exception:  # a fault of one of them takes no feed of before away
        log.exception("the declarations of now cannot be taken; those of before go on")
    else:
        log.info("%d feeds are ticked from the next round on", len(contracts))
