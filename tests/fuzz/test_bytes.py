"""Broken bytes at the doors that take events and tables: each ends in a documented answer."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.composite.source import read_cells
from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.event import decode_tick, encode_event, encode_tick
from streams.intake.batch import Malformed, check_batch, split_batch
from streams.intake.encoding import Broken, TooLarge, Unsupported, decoded
from streams.intake.files import inspect, mapped
from streams.land.rejected import edited
from streams.watch.declare.baseline import read_baseline
from streams.watch.detect.series import read_series
from streams.watch.engine.trial_events import BadLine, LineReader, TrialEvent
from tests.fuzz.broken import broken_bytes, broken_json, cases

CONTRACTS = load_contracts()
DECODERS = {feed: Decoder(contract) for feed, contract in CONTRACTS.items()}
AIR = CONTRACTS["ecology.air-quality"]
HEALTH = CONTRACTS["health.infectious-disease"]
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
DATA = {"station": "1233A", "region": "330106", "averaging": "1h", "pm25": 35.5, "more": [1, {"a": "b"}]}
EVENT = encode_event(id="e-1", source="/s", type=AIR.event_type, time=NOON, data=DATA)
CORRECTION = encode_event(
    id="e-2", source="/s", type=AIR.event_type, time=NOON, data=DATA, corrects="e-1", timeline="past"
)
TICK = encode_tick(id="t", clock=NOON, timeline="past", final=True, epoch=3)
LINE = b'{"time":"2026-03-01T12:00:00+08:00","station":"1233A","region":"330106","averaging":"1h","pm25":1}\n'
ROWS = """date,province,city,cityCode,confirmed
2025-12-30,浙江省,杭州市,330100,990
2025-12-31,浙江省,杭州市,330100,1000
2026-01-01,浙江省,"杭州市",330100,4
""".encode()


TOLD = b'{"tick":"2026-03-01T12:00:00+08:00","feed":"ecology.air-quality"}\n'
DAYS = b"t,observed,population\n2026-01-01,1,2\n2026-01-02,3.5,2\n2026-01-03,,2\n"
GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00"
ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity", " GZIP ", "\u0661")
ANY_EVENT = st.one_of(
    *(broken_bytes(raw) for raw in (EVENT, CORRECTION, TICK)),
    *(broken_json(json.loads(raw)) for raw in (EVENT, CORRECTION, TICK)),
)
ANY_LINE = st.one_of(ANY_EVENT, broken_json(json.loads(LINE)))
SUFFIXES = st.sampled_from((".jsonl", ""))
TEXTS = st.text(max_size=5) | st.just("[" * 9000)
NO_TABLES = (
    *(b'a,"' + b"x" * 200_000, b"a\0b,c\n1\0,2\n", b'"', b"\xff\xfe"),
    b"subject,mean\na,nan\na,1e999\n",
)


@cases(250)
@given(ANY_EVENT, st.sampled_from(sorted(DECODERS)))
def test_the_decoder(raw: bytes, feed: str) -> None:
    try:
        DECODERS[feed].decode(raw)
    except Rejected as error:
        assert error.rule and str(error).encode()
    decode_tick(raw)


@cases(250)
@given(
    broken_bytes(b"[" + EVENT + b"," + CORRECTION + b"]") | broken_bytes(EVENT + b"\n" + EVENT) | ANY_EVENT
)
def test_a_batch(body: bytes) -> None:
    try:
        items = split_batch(body)
    except Malformed as error:
        assert str(error)
        return
    records, faults = check_batch(AIR, DECODERS[AIR.feed], items, NOON)
    assert len(records) + len(faults) == len(items)
    assert all(key is None or isinstance(key, bytes) for key, _ in records)


@cases(150)
@given(broken_bytes(GZIP), st.sampled_from(ENCODINGS))
def test_a_content_encoding(body: bytes, encoding: str) -> None:
    with suppress(Broken, Unsupported, TooLarge):
        assert len(decoded(encoding, body, 1000)) <= max(1000, len(body))


@cases(200)
@given(broken_bytes(ROWS) | broken_bytes(ROWS.decode().encode("gb18030")), st.sampled_from((".csv", "")))
def test_a_file_of_rows(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(raw)
    with suppress(Misdeclared):
        list(mapped(HEALTH, inspect(HEALTH, path), Counter()))


@cases(250)
@given(broken_bytes(EVENT + b"\n" + CORRECTION + b"\n" + TICK + b"\n" + LINE) | ANY_LINE, SUFFIXES)
def test_a_file_of_lines(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"lines{suffix}"
    path.write_bytes(raw)
    with suppress(Misdeclared):
        list(mapped(AIR, inspect(AIR, path), Counter()))


@cases(250)
@given(broken_bytes(EVENT + b"\n" + LINE + TOLD) | ANY_LINE | broken_json(json.loads(TOLD)))
def test_events_of_a_trial(raw: bytes) -> None:
    for feeds in ({AIR.feed: AIR}, {AIR.feed: AIR, HEALTH.feed: HEALTH}):
        for found in LineReader(feeds).read(raw.splitlines()):
            assert isinstance(found, TrialEvent | BadLine)


@pytest.mark.parametrize("feed", [[1], {"a": 1}, 5, True])
def test_a_trial_names_its_feed_in_a_text(feed: object) -> None:
    raw = json.dumps({**json.loads(LINE), "feed": feed}).encode()
    (found,) = LineReader({AIR.feed: AIR, HEALTH.feed: HEALTH}).read([raw])
    assert isinstance(found, BadLine) and "is none the rule reads" in found.problem


@cases(150)
@given(ANY_EVENT, st.sampled_from(("pm25", "id", "time", "station", "x")), TEXTS)
def test_a_rejected_event_set_right(raw: bytes, name: str, text: str) -> None:
    with suppress(Rejected):
        edited(AIR, raw, {name: text})


@cases(150)
@given(broken_bytes(DAYS) | broken_bytes(b"t;observed\n1;1\n2;2\n"))
def test_a_series(raw: bytes) -> None:
    with suppress(Misdeclared):
        read_series(raw.decode("utf-8", "replace"), "series.csv")


@cases(100)
@given(broken_bytes(b"uCode,uName,a,b\nA,x,4,1\nB,y,9,5\n"))
def test_a_table_of_an_index(raw: bytes) -> None:
    with suppress(Misdeclared):
        read_cells(raw.decode("utf-8", "replace"), "data.csv")


@cases(150)
@given(broken_bytes(b"subject,slot,mean,sd\n1233A,0,35.5,2\n1233B,1,40,1\n"))
def test_a_baseline(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "usual.csv"
    path.write_bytes(raw)
    with suppress(Misdeclared):
        read_baseline(1, path)


@pytest.mark.parametrize("raw", NO_TABLES)
def test_tables_that_are_none(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(raw)
    for read in (
        lambda: read_baseline(1, path),
        lambda: read_series(raw.decode("utf-8", "replace"), str(path)),
        lambda: inspect(HEALTH, path),
    ):
        with pytest.raises(Misdeclared, match=r"bad\.csv"):
            read()
