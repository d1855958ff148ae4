"""Back-test: landed events a second and core through a rule, and through the five of `bench_watch` at once.

Hourly readings of 1,000 stations and a tick every five hours are landed straight into the warehouse. What
`rules backtest` calls reads and judges them, a process a core. The figure is events by CPU second of all these
processes, their start and the second stage included, the warehouse's own work not. The baseline is a bare columnar
read of the same rows: offset, arrival, bytes.
"""

from __future__ import annotations

import os
import resource
import time

from dagster_project.warehouse import Warehouse
from deploy.rule_history.backtest import Version, run
from deploy.rule_history.landed_log import Stretch, connect
from schemas.contract import load_contracts
from schemas.settings import Settings
from tests.benchmarks.bench_watch import COUNTIES, RULES, STATIONS
from tests.benchmarks.house import AIR, FIRST, PARTITIONS, argument, own_warehouse, say
from tests.benchmarks.watching import rule_text

TICK_HOURS = 5
EACH = STATIONS // PARTITIONS
BLOCK = EACH * TICK_HOURS + 1
"""Offsets of a partition between two ticks, one tick included."""
READ = (
    "SELECT offset, toUnixTimestamp64Milli(arrived), raw"
    " FROM landing.{table} WHERE partition = {part} ORDER BY offset"
)


def land(open: Warehouse, hours: int) -> int:
    """Land `hours` hours (a multiple of TICK_HOURS) of all stations, with ticks and ledger; gives their number."""
    number = hours * STATIONS
    counties = ", ".join(f"'{code}'" for code in COUNTIES)
    at = f"toDateTime64('{FIRST} 00:00:00', 3, 'Asia/Shanghai')"
    open.rows(
        f"INSERT INTO landing.{AIR.table} (event_day, log_epoch, partition, offset, arrived, timeline, late,"
        " source, id, time, corrects, station, region, averaging, pm25, aqi, raw)"
        f" WITH intDiv(number, {STATIONS}) AS hour, number % {STATIONS} AS place,"
        f" hour * {EACH} + intDiv(place, {PARTITIONS}) AS nth, {at} + toIntervalHour(hour) AS at,"
        f" concat('3301', leftPad(toString(place), 4, '0')) AS station, [{counties}][place % 10 + 1] AS county,"
        " if((number * 7919) % 1000 = 0, 120 + hour % 200, 20 + number % 60) AS value"
        f" SELECT toDate(at, 'Asia/Shanghai'), 0, place % {PARTITIONS}, nth + intDiv(nth, {EACH * TICK_HOURS}),"
        " at + INTERVAL 2 SECOND, '', 0, '/air', toString(number), at, '', station, county, '1h', value, NULL,"
        ' concat(\'{"specversion":"1.0","id":"\', toString(number), \'","source":"/air","type":"'
        f'{AIR.event_type}","time":"\', formatDateTime(at, \'%Y-%m-%dT%H:%i:%S\'), \'+08:00",'
        '"datacontenttype":"application/json","data":{"station":"\', station, \'","region":"\', county,'
        ' \'","averaging":"1h","pm25":\', toString(value), \'}}\')'
        f" FROM numbers({number})"
    )
    ticks = hours // TICK_HOURS
    open.rows(
        "INSERT INTO landing.tick (topic, log_epoch, partition, offset, arrived, timeline, clock, final, epoch)"
        f" WITH intDiv(number, {PARTITIONS}) AS nth, {at} + toIntervalHour((nth + 1) * {TICK_HOURS}) AS clock"
        f" SELECT '{AIR.topic}', 0, number % {PARTITIONS}, nth * {BLOCK} + {BLOCK - 1}, clock, '', clock, 0, 0"
        f" FROM numbers({ticks * PARTITIONS})"
    )
    columns = ("topic", "feed", "log_epoch", "partition", "first", "last", "accepted", "control")
    last = ticks * BLOCK - 1
    accepted = ticks * (BLOCK - 1)
    intervals = [(AIR.topic, AIR.feed, 0, part, 0, last, accepted, ticks) for part in range(PARTITIONS)]
    open.insert("landing.ledger", columns, intervals)
    return number


def rules(names: list[str]) -> Version:
    """Some of the rules of `bench_watch`, to be tried together."""
    return Version("tried", tuple((name, rule_text(name, AIR.feed, RULES[name])) for name in names))


def spent() -> float:
    """CPU seconds of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def trial(settings: Settings, version: Version, events: int) -> tuple[float, float, int]:
    """(events by CPU second, events by wall second, transitions) of one back-test."""
    cpu, wall = spent(), time.monotonic()
    (found,) = run(settings, load_contracts(), [version], Stretch(), os.cpu_count() or 1)
    return events / (spent() - cpu), events / (time.monotonic() - wall), len(found)


def bare(settings: Settings, events: int) -> float:
    """Rows by CPU second of reading them in columns."""
    client = connect(settings)
    begun, rows = time.process_time(), 0
    for part in range(PARTITIONS):
        columns = client.execute(READ.format(table=AIR.table, part=part), columnar=True)
        rows += len(columns[0])
    assert rows == events
    return rows / (time.process_time() - begun)


def main() -> None:
    """Print one JSON object a trial: the figure beside its baseline."""
    with own_warehouse() as (settings, open):
        events = land(open, argument(2_000))
        baseline = bare(settings, events)
        for name, names in (("one rule, sliding mean", ["mean"]), ("5 rules, one re-keyed", list(RULES))):
            rate, wall, transitions = trial(settings, rules(names), events)
            assert transitions, "the planted readings open warnings"
            say(
                f"back-test, {name}", value=round(rate), unit="events/s a core", baseline=round(baseline),
                baseline_name="bare columnar read of the same rows, rows/s a core", events=events,
                wall_events_per_s=round(wall), transitions=transitions,
            )  # fmt: skip


if __name__ == "__main__":
    main()
