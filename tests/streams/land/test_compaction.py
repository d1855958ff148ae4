"""Summing the ledger up changes nothing that anybody reads of it, whatever it looks like and whenever it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as run
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.settings import Settings
from streams.land import compaction
from streams.land.compaction import SETTLED, SPAN, Compactor, compact
from streams.land.ledger import LedgerEntry, Standing, union
from streams.land.warehouse import Warehouse

AIR = load_contracts()["ecology.air-quality"]
BEGIN = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 1000
_topics = (f"feed.test.compaction-{n}" for n in count())
Row = tuple[int, int, LedgerEntry, int]
"""Epoch, partition, interval, arrival of its last record (s after BEGIN)."""


@st.composite
def ledgers(draw: st.DrawFn) -> list[Row]:
    """What some workers wrote of two partitions: chains of their own, with gaps, overlaps, losses and epochs."""
    found: list[Row] = []
    for _ in range(draw(st.integers(1, 4))):
        epoch, partition, first = draw(st.integers(0, 1)), draw(st.integers(0, 1)), draw(st.integers(0, 9))
        for length, gap in draw(
            st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 0, 0, 0, 2])), max_size=8)
        ):
            accepted = draw(st.integers(0, length))
            rejected = draw(st.integers(0, length - accepted))
            control = draw(st.sampled_from([length - accepted - rejected, 0]))
            entry = LedgerEntry(
                first, first + length - 1, accepted, rejected, control, {"": first, "replay": BEGIN + first}
            )
            found.append((epoch, partition, entry, draw(st.sampled_from([0, 10, 30_000]))))
            first += length + gap
    return list({(e, p, item.first, item.last): (e, p, item, at) for e, p, item, at in found}.values())


@pytest.fixture
def land(warehouse: Settings) -> Iterator[Warehouse]:
    """Land's own connection."""
    open = Warehouse(warehouse.warehouse("service"))
    yield open
    open.close()


def write(land: Warehouse, topic: str, rows: Sequence[Row], listed: int = 1) -> None:
    entries = [entry for _, _, entry, _ in rows]
    columns: dict[str, list[Any]] = {
        "topic": [topic] * len(rows),
        "log_epoch": [epoch for epoch, *_ in rows],
        "partition": [partition for _, partition, *_ in rows],
        **{
            name: [getattr(entry, name) for entry in entries]
            for name in ("first", "last", "accepted", "rejected", "control")
        },
        "watermarks": [dict(entry.watermarks) for entry in entries],
        "arrived_last": [BEGIN + at * 1000 for *_, at in rows],
        "listed": [listed] * len(rows),
    }
    land.insert("ledger", columns)


def expected(rows: Sequence[Row], epochs: Sequence[int]) -> dict[int, Standing]:
    """What the intervals say one by one."""
    found = {
        partition: union(entry for epoch, part, entry, _ in rows if part == partition and epoch in epochs)
        for partition in (0, 1)
    }
    return {partition: standing for partition, standing in found.items() if standing is not None}


def number(land: Warehouse, topic: str) -> int:
    return int(land.rows("SELECT count() FROM landing.ledger FINAL WHERE topic = %(t)s", {"t": topic})[0][0])


@pytest.mark.stack
@given(ledgers(), st.data())
@run(
    max_examples=25,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_stands_is_what_the_intervals_say_before_and_after(
    land: Warehouse, rows: list[Row], data: st.DataObject
) -> None:
    topic = next(_topics)
    if rows:
        write(land, topic, rows)
    wanted = [expected(rows, epochs) for epochs in ([0], [1])]
    assert [land.standings(topic, epochs) for epochs in ([0], [1])] == wanted
    old = {
        (topic, partition): (data.draw(st.integers(0, 1)), data.draw(st.integers(0, 40)))
        for partition in (0, 1)
    }
    compact(land, {topic: "none"}, old)
    assert [land.standings(topic, epochs) for epochs in ([0], [1])] == wanted
    few = number(land, topic)
    compact(land, {topic: "none"}, old)
    assert number(land, topic) == few, "once is enough"


@pytest.mark.stack
def test_a_chain_becomes_one_interval_a_span_and_what_is_new_stays(land: Warehouse) -> None:
    topic, half = next(_topics), SPAN // timedelta(seconds=2)
    chain = [(0, 0, LedgerEntry(n, n, 1, 0, 0, {"": n}), n // 10 * half) for n in range(40)]
    write(land, topic, chain)
    compact(land, {topic: "none"}, {(topic, 0): (0, 35)})
    rows = land.rows(
        "SELECT first, last, accepted, parts FROM landing.ledger FINAL WHERE topic = %(t)s ORDER BY first",
        {"t": topic},
    )
    assert rows == [(0, 19, 20, 20), (20, 34, 15, 15), *((n, n, 1, 0) for n in range(35, 40))]
    compact(land, {topic: "none"}, {(topic, 0): (0, 40)})
    assert number(land, topic) == 2, "what was merged before is merged with what follows it"
    assert land.standings(topic, [0]) == expected(chain, [0])


@pytest.mark.stack
def test_a_pass_cut_short_before_it_deletes_is_made_good_by_the_next(
    land: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = next(_topics)
    chain = [(0, 0, LedgerEntry(n, n, 1, 0, 0, {"": n}), 0) for n in range(20)]
    write(land, topic, chain)
    with monkeypatch.context() as cut:
        cut.setattr(compaction, "_COUNT", "SELECT 0")
        compact(land, {topic: "none"}, {(topic, 0): (0, 20)})
    assert number(land, topic) == 21
    assert land.standings(topic, [0]) == expected(chain, [0])
    compact(land, {topic: "none"}, {(topic, 0): (0, 20)})
    assert number(land, topic) == 1
    assert land.standings(topic, [0]) == expected(chain, [0])


@pytest.mark.stack
@given(ledgers(), st.integers(3, 6))
@run(
    max_examples=8,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_pass_over_a_part_of_a_ledger_changes_nothing_that_stands(
    land: Warehouse, rows: list[Row], most: int
) -> None:
    topic = next(_topics)
    if rows:
        write(land, topic, rows)
    with pytest.MonkeyPatch.context() as bound:
        bound.setattr(compaction, "ROWS", 2 * most)
        for _ in range(4):
            compact(land, {topic: "none"}, {(topic, partition): (1, 100) for partition in (0, 1)})
    wanted = [expected(rows, epochs) for epochs in ([0], [1])]
    assert [land.standings(topic, epochs) for epochs in ([0], [1])] == wanted


@pytest.mark.stack
def test_a_ledger_longer_than_a_statement_looks_at_is_summed_up_in_passes(
    land: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = next(_topics)
    chain = [(0, 0, LedgerEntry(n, n, 1, 0, 0, {"": n}), 0) for n in range(40)]
    write(land, topic, chain)
    monkeypatch.setattr(compaction, "ROWS", 20)
    compact(land, {topic: "none"}, {(topic, 0): (0, 40)})
    assert number(land, topic) == 22, "the last that was looked at may overlap with what was not"
    for _ in range(2):
        compact(land, {topic: "none"}, {(topic, 0): (0, 40)})
    assert number(land, topic) == 1
    assert land.standings(topic, [0]) == expected(chain, [0])


@pytest.mark.stack
def test_days_that_an_older_version_listed_nowhere_are_listed_once(
    land: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = (f"landing.{AIR.table}", "landing.ledger", "landing.changed_day")
    for table in tables:
        land.rows(f"TRUNCATE TABLE {table}", {})
    first = date(2024, 3, 1)
    days = [first, first, first + timedelta(days=1), first]
    land.insert(
        AIR.table,
        {
            "event_day": days,
            "log_epoch": [0] * 4,
            "partition": [0] * 4,
            "offset": [0, 1, 2, 3],
            "corrects": ["", "", "a", ""],
            "arrived": [datetime.now(UTC)] * 4,
            "id": list("abcd"),
        },
    )
    write(land, AIR.topic, [(0, 0, LedgerEntry(n, n, 1, 0, 0, {}), 0) for n in range(4)], listed=0)
    seen = (
        "SELECT event_day, max(last), max(corrected) FROM landing.changed_day GROUP BY event_day ORDER BY 1"
    )
    unlisted = "SELECT sum(last - first + 1) FROM landing.ledger FINAL WHERE NOT listed"
    old = {(AIR.topic, 0): (0, 3)}
    with monkeypatch.context() as killed:
        killed.setattr(compaction, "_LISTED", "SELECT 1")
        compact(land, {AIR.topic: AIR.table}, old)
    assert land.rows(unlisted, {}) == [(4,)]
    compact(land, {AIR.topic: AIR.table}, old)
    assert land.rows(seen, {}) == [(first, 1, 0), (days[2], 2, 3)]
    assert land.rows(unlisted, {}) == [(1,)], "what may still be written again keeps its word"
    land.rows(f"TRUNCATE TABLE landing.{AIR.table}", {})
    compact(land, {AIR.topic: AIR.table}, {(AIR.topic, 0): (0, 3)})
    assert land.rows(seen, {}) == [(first, 1, 0), (days[2], 2, 3)], "landed rows are not asked again"
    write(land, AIR.topic, [(0, 0, LedgerEntry(3, 3, 1, 0, 0, {}), 0)])
    assert land.rows(unlisted, {}) == [(0,)]
    for table in tables:
        land.rows(f"TRUNCATE TABLE {table}", {})


@pytest.mark.stack
def test_an_overlap_makes_up_for_no_gap(land: Warehouse) -> None:
    topic = next(_topics)
    write(
        land,
        topic,
        [(0, 0, LedgerEntry(*span, span[1] - span[0] + 1, 0, 0), 0) for span in ((0, 9), (5, 9), (15, 19))],
    )
    standing = land.standings(topic, [0])[0]
    assert (standing.next, standing.accepted) == (10, 10)


def test_only_what_was_written_a_while_ago_is_old() -> None:
    known, settled = Compactor(), SETTLED.total_seconds()
    assert known.old(0, {("t", 0): (0, 5), ("t", 1): (0, 7), ("t", 2): (0, 1)}) == {}
    assert known.old(settled - 1, {("t", 0): (0, 9)}) == {}
    assert known.old(settled, {("t", 0): (0, 11), ("t", 2): (1, 4)}) == {("t", 0): (0, 5)}
    assert known.old(2 * settled, {("t", 0): (0, 20), ("t", 1): (0, 9)}) == {("t", 0): (0, 11)}
