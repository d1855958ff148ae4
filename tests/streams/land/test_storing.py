"""A row that can never be stored is set aside with its reason; its neighbours, and the ledger, go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st

from schemas.blanking import WITHHELD
from schemas.contract import load_contracts
from schemas.contract_model import Field
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.event import CLOCKS, LIVE, decode_tick, encode_event, encode_tick
from schemas.fields import EPOCH, MILLISECOND
from schemas.settings import Settings
from schemas.tables import contract_statements
from streams import aside
from streams.land.classification import Batch, Feed, Position, check
from streams.land.columns import Columns, FeedColumns, Landed
from streams.land.storing import TRIES, Storing
from streams.land.warehouse import Unstorable, Warehouse
from tests.streams.land.records import NOON, NOON_MS, Record, air, log, tick
from tests.streams.land.rig import Rig

SKEW = 10**14  # ms: nothing is ahead of its arrival
TYPE = "ecology.air-quality.v1"
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def poisonous_ticks() -> dict[str, bytes]:
    good = tick(NOON).decode()
    at = f'"clock":"{NOON.isoformat()}"'
    return {
        "epoch below 0": good.replace('"final":false', '"final":false,"epoch":-1').encode(),
        "epoch beyond 64 bits": good.replace('"final":false', f'"final":false,"epoch":{1 << 64}').encode(),
        "last day there is": encode_tick(id="t", clock=LAST),
        "last day there is, west of it": good.replace(at, '"clock":"9999-12-31T23:59:59-11:00"').encode(),
        "first day there is": good.replace(at, '"clock":"0001-01-01T00:00:00+14:00"').encode(),
        "year 2150": encode_tick(id="t", clock=datetime(2150, 1, 1, tzinfo=UTC)),
        "long id": encode_tick(id="t" * 100_000, clock=NOON),
        "no id": encode_tick(id="", clock=NOON),
        "long timeline": encode_tick(id="t", clock=NOON, timeline="x" * 129),
        "no clock": good.replace(at, '"clock":null').encode(),
        "no zone": good.replace(at, '"clock":"2026-03-01T04:00:00"').encode(),
        "surrogate": good.replace('"id":"tick', '"id":"\\ud800tick').encode(),
    }


@pytest.mark.parametrize("name", poisonous_ticks())
def test_a_tick_that_no_table_can_hold_is_none(name: str) -> None:
    assert decode_tick(poisonous_ticks()[name]) is None
    feed = Feed(Decoder(load_contracts()["ecology.air-quality"]).decode, 0, SKEW)
    position, batch = check(feed, Position(0), log(poisonous_ticks()[name]))
    assert batch is not None
    assert (len(batch.refused), batch.ticks, position.watermarks) == (1, [], {})


@given(st.datetimes(), st.integers())
def test_any_tick_is_storable_or_none(clock: datetime, epoch: int) -> None:
    raw = encode_tick(id="t", clock=clock.replace(tzinfo=UTC))
    if epoch:
        raw = raw.replace(b'"final":false', f'"final":false,"epoch":{epoch}'.encode())
    found = decode_tick(raw)
    fits = CLOCKS[0] <= clock.replace(tzinfo=UTC) <= CLOCKS[1] and 0 <= epoch < 1 << 62
    assert (found is not None) == fits


@pytest.mark.stack
def test_poisonous_ticks_are_rejected_and_landing_goes_on(rig: Rig) -> None:
    kind = rig.contract.event_type
    rig.send([air("a", type=kind), *poisonous_ticks().values(), tick(NOON), air("b", type=kind)])
    balances = rig.land()
    assert sum(each.accepted for each in balances) == 2
    assert sum(each.rejected for each in balances) == len(poisonous_ticks())
    assert sum(each.control for each in balances) == 1
    assert len(rig.control_tables()["tick"]) == 1


@pytest.mark.stack
def test_what_the_table_refuses_is_rejected_and_its_neighbours_are_landed(rig: Rig) -> None:
    kind, number = rig.contract.event_type, 500
    rig.query(f"ALTER TABLE landing.{rig.contract.table} ADD CONSTRAINT low CHECK pm25 < 400")
    bad = {57, 58, 311}
    events = [air(f"e{i}", pm25=450 if i in bad else 35.5, type=kind) for i in range(number)]
    rig.send(events)
    balances = rig.land()
    assert rig.landed() == number - len(bad)
    assert sum(each.accepted for each in balances) == number - len(bad)
    assert sum(each.rejected for each in balances) == len(bad)
    rejected = rig.control_tables()["rejected"]
    assert {row[9][:50] and (row[7], row[8]) for row in rejected} == {("event", "unstorable")}
    assert {row[-1] for row in rejected} == {events[i].decode() for i in bad}
    record = aside.read(rig.settings.home, "land")
    assert record is not None and record.count >= 1
    assert any(item.what.startswith(rig.topic) for item in record.newest)


def _names(value: object) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


class _Picky:
    """A warehouse's insert that refuses what a test names, by any text of the row."""

    def __init__(self, *never: tuple[str, str], kind: str = "") -> None:
        self.never, self.stored = never, dict[str, list[Columns]]()
        self.failed, self.kind = 0, kind

    async def __call__(self, table: str, columns: Columns) -> None:
        for name, text in self.never:
            values = [value for column in columns.values() for value in column]
            if table == name and any(text == str(value) or text in _names(value) for value in values):
                self.failed += 1
                raise Unstorable(f"{text} does not fit", self.kind)
        self.stored.setdefault(table, []).append(columns)

    def texts(self, table: str, column: str) -> list[Any]:
        return sorted(value for part in self.stored.get(table, []) for value in part[column])


AIR_CONTRACT = load_contracts()["ecology.air-quality"]
TOPIC = AIR_CONTRACT.topic


def _landed(*values: bytes | None) -> Landed:
    feed = Feed(Decoder(AIR_CONTRACT).decode, AIR_CONTRACT.lateness // MILLISECOND, SKEW)
    _, batch = check(feed, Position(0), log(*values))
    assert batch is not None
    return Landed(TOPIC, AIR_CONTRACT.feed, 0, 0, batch)


def _store(insert: _Picky, *values: bytes | None) -> tuple[Batch, list[tuple[str, str]]]:
    said: list[tuple[str, str]] = []
    tables = {TOPIC: (AIR_CONTRACT.table, FeedColumns(AIR_CONTRACT))}
    store = Storing(tables, insert, lambda what, why: said.append((what, why)))
    (found,) = asyncio.run(store([_landed(*values)]))
    return found.batch, said


def test_a_tick_that_cannot_be_stored_is_control_and_said() -> None:
    insert = _Picky(("tick", "bad"))
    batch, said = _store(insert, air("a"), tick(NOON, "bad"), tick(NOON, "good"), air("b"))
    assert (len(batch.accepted), len(batch.refused), batch.control) == (2, 0, 2)
    assert insert.texts("tick", "timeline") == ["good"]
    assert said == [(f"{TOPIC}/0 at 1", "tick: bad does not fit")]


def test_a_refusal_whose_texts_cannot_be_stored_is_stored_without_them() -> None:
    insert = _Picky(("rejected", "worse"))
    batch, said = _store(insert, air("worse", pm25=0), air("bad", pm25=0), None)
    assert len(batch.refused) == 3
    assert insert.texts("rejected", "id") == ["", "", "bad"]
    assert said == [(f"{TOPIC}/0 at 0", "stored without its texts: worse does not fit")]


def test_a_table_that_fits_no_row_costs_so_many_inserts_and_holds_up_no_other() -> None:
    """All of it is rejected with its bytes, told of once, and the ledger goes on."""
    insert, number = _Picky((AIR_CONTRACT.table, "good")), 10_000
    batch, said = _store(insert, *(air("good", at=NOON + timedelta(seconds=i)) for i in range(number)))
    assert (len(batch.accepted), len(batch.refused)) == (0, number)
    assert {(row.field, row.rule) for row in batch.refused} == {("event", "unstorable")}
    assert [row.offset for row in batch.refused] == list(range(number))
    assert sum(map(len, (part["raw"] for part in insert.stored["rejected"]))) == number
    assert insert.failed <= 2 * TRIES + 1
    assert said == [(f"{TOPIC}/0 at 0 and 9999 more", "good does not fit")]


def test_many_rows_at_fault_among_many_leave_most_of_the_others_stored() -> None:
    insert = _Picky((AIR_CONTRACT.table, "bad"))
    batch, _ = _store(insert, *(air("bad" if i % 100 == 0 else f"e{i}") for i in range(5_000)))
    assert len(insert.texts(AIR_CONTRACT.table, "id")) == len(batch.accepted) > 2_500
    assert len(batch.accepted) + len(batch.refused) == 5_000


def test_what_the_ledger_cannot_hold_of_watermarks_is_left_out() -> None:
    insert = _Picky(("ledger", "strange"))
    said: list[tuple[str, str]] = []
    store = Storing(
        {TOPIC: (AIR_CONTRACT.table, FeedColumns(AIR_CONTRACT))}, insert, lambda *told: said.append(told)
    )
    asyncio.run(store.account([_landed(air("a")), _landed(air("b", timeline="strange"), air("c"))]))
    assert [part["watermarks"] for part in insert.stored["ledger"]] == [
        [{LIVE: NOON_MS}], [{LIVE: NOON_MS}],
    ]  # fmt: skip
    assert said == [(f"{TOPIC}/0 at 0", "watermarks of the ledger: strange does not fit")]
    with pytest.raises(Misdeclared, match="do not fit; run liaowang migrate"):
        asyncio.run(Storing({}, _Picky(("ledger", "0")), lambda *told: None).account([_landed(air("a"))]))


def test_the_days_of_events_are_listed_before_the_ledger_counts_them() -> None:
    insert = _Picky((AIR_CONTRACT.table, "bad"))
    store = Storing({TOPIC: (AIR_CONTRACT.table, FeedColumns(AIR_CONTRACT))}, insert, lambda what, why: None)
    later = NOON + timedelta(days=1)
    events = [
        air("a"),
        air("b", at=later),
        air("c").replace(b'"data"', b'"corrects":"a","data"'),
        air("d", at=later),
        air("bad", at=later),
    ]
    asyncio.run(_all(store, [_landed(*events), _landed(tick(NOON))]))
    day = (NOON + timedelta(hours=8)).date()
    rows = [list(zip(*part.values(), strict=True)) for part in insert.stored["changed_day"]]
    assert rows == [[(TOPIC, day, 0, 0, 2, 3), (TOPIC, day + timedelta(days=1), 0, 0, 3, 0)]]
    assert [part["listed"] for part in insert.stored["ledger"]] == [[1, 1]]
    tables = list(insert.stored)
    assert tables.index(AIR_CONTRACT.table) < tables.index("changed_day") < tables.index("ledger")


async def _all(store: Storing, landed: list[Landed]) -> None:
    await store.account(await store(landed))


def test_why_a_row_does_not_fit_shows_no_personal_value() -> None:
    fields = (replace(AIR_CONTRACT.fields[0], classification="personal"), *AIR_CONTRACT.fields[1:])
    contract = replace(AIR_CONTRACT, fields=fields)
    said: list[tuple[str, str]] = []
    insert = _Picky((AIR_CONTRACT.table, "secret"), kind="TypeMismatchError")
    store = Storing({TOPIC: (contract.table, FeedColumns(contract))}, insert, lambda *told: said.append(told))
    (found,) = asyncio.run(store([_landed(air("secret"), air("b"))]))
    (row,) = found.batch.refused
    assert row.value == said[0][1] == f"TypeMismatchError {WITHHELD}"


@given(st.lists(st.booleans(), max_size=60))
def test_exactly_the_rows_at_fault_are_refused(faults: list[bool]) -> None:
    insert = _Picky((AIR_CONTRACT.table, "bad"))
    events = [air("bad" if bad else f"e{i}") for i, bad in enumerate(faults)]
    batch, said = _store(insert, air("first"), *events)
    assert [row.offset for row in batch.refused] == [i + 1 for i, bad in enumerate(faults) if bad]
    assert len(insert.texts(AIR_CONTRACT.table, "id")) == len(batch.accepted) == 1 + faults.count(False)
    assert len(said) == any(faults), "one word of a batch"


WIDE = replace(
    AIR_CONTRACT,
    feed="trial.wide",
    topic="feed.trial.wide",
    region_field="",
    region_levels=(),
    subject=("text",),
    fields=tuple(
        Field(name=name, kind=kind, required=required)
        for name, kind, required in [
            ("text", "string", True),
            ("maybe", "string", False),
            ("whole", "integer", True),
            ("number", "number", True),
            ("some", "number", False),
            ("day", "date", True),
            ("moment", "timestamp", True),
            ("flag", "boolean", True),
        ]
    ),
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = (
    st.datetimes()
    .map(lambda at: at.replace(year=min(max(at.year, 2), 9998), day=min(at.day, 28)))
    .flatmap(lambda at: zones.map(lambda zone: at.replace(tzinfo=zone)))
)
near = st.sampled_from(
    [
        datetime(year, month, day, 12, tzinfo=UTC)
        for year in (1899, 1900, 1925, 1969, 1970, 2038, 2106, 2149, 2150, 2262, 2263, 2299, 2300)
        for month, day in ((1, 1), (6, 6), (12, 31))
    ]
)
times = moments | near
texts = st.text(max_size=20)


@st.composite
def wide(draw: st.DrawFn) -> bytes:
    data = {
        "text": draw(texts),
        "maybe": draw(st.none() | texts),
        "whole": draw(st.integers(-(1 << 64), 1 << 64) | st.sampled_from([-(1 << 63), (1 << 63) - 1])),
        "number": draw(st.floats(allow_nan=False, allow_infinity=False)),
        "some": draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        "day": draw(st.dates(min_value=date(1, 1, 1)) | near.map(datetime.date)).isoformat(),
        "moment": draw(times).isoformat(),
        "flag": draw(st.booleans()),
    }
    return encode_event(
        id=draw(st.text(min_size=1, max_size=20)),
        source=draw(st.text(min_size=1, max_size=20)),
        type=WIDE.event_type,
        time=draw(times),
        data=data,
        timeline=draw(st.just(LIVE) | texts),
        corrects=draw(texts),
    )


@pytest.fixture(scope="module")
def store(warehouse: Settings) -> Iterator[Warehouse]:
    store = Warehouse(warehouse.warehouse("admin"))
    store.rows("DROP TABLE IF EXISTS landing.trial_wide", {})
    for statement in contract_statements(WIDE):
        store.rows(statement, {})
    yield store
    store.close()


@pytest.mark.stack
@run(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(raw=wide())
def test_whatever_the_decoder_accepts_is_stored_and_read_back_equal(store: Warehouse, raw: bytes) -> None:
    decode = Decoder(WIDE).decode
    try:
        event = decode(raw)
    except Rejected:
        return
    _, batch = check(Feed(decode, 0, SKEW), Position(0), [Record(0, int(NOON.timestamp() * 1000), raw)])
    assert batch is not None
    store.rows("TRUNCATE TABLE landing.trial_wide", {})
    store.insert("trial_wide", FeedColumns(WIDE)([Landed(WIDE.topic, WIDE.feed, 0, 0, batch)]))
    names = "source, id, time, corrects, timeline, text, maybe, whole, number, some, day, moment, flag, raw"
    (row,) = store.rows(f"SELECT {names} FROM landing.trial_wide", {})
    data = event.data
    assert row[:2] == (event.source, event.id)
    assert (row[2] - EPOCH) // MILLISECOND == (event.time - EPOCH) // MILLISECOND
    assert row[3:5] == (event.corrects, event.timeline)
    assert row[5:11] == (data.text, data.maybe, data.whole, data.number, data.some, data.day)
    assert (row[11] - EPOCH) // MILLISECOND == (data.moment - EPOCH) // MILLISECOND
    assert (bool(row[12]), row[13].encode()) == (data.flag, raw)
