"""JSON lines: what passes as it is, what is mapped, and what is the data itself."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import encode_tick
from streams.intake.lines import map_lines
from streams.intake.mapping import LONGEST, Decided, Mapped, Outgoing, Skipped, Unreadable
from tests.streams.intake.feeds import AIR, HEALTH, NOON, air, covid_cells, document


def lines(*raws: bytes, timeline: str = "past") -> list[Mapped]:
    return list(map_lines(AIR, timeline, enumerate(raws, 1)))


def test_a_cloud_event_keeps_its_bytes_and_gets_the_timeline() -> None:
    raw = air("1", NOON)
    (event,) = lines(raw + b"\r\n")
    assert event == Outgoing(NOON, b"330100", b'{"timeline":"past",' + raw[1:])
    assert Decoder(AIR).decode(raw=event.raw).timeline == "past"


def test_a_timeline_of_its_own_stays_and_an_empty_one_is_none() -> None:
    (kept,) = lines(air("1", timeline="drill"))
    (filled,) = lines(air("2").replace(b'"data"', b'"timeline":"","data"'))
    assert [document(event)["timeline"] for event in (kept, filled)] == ["drill", "past"]


@pytest.mark.parametrize("raw", [b'{"specversion":"1.0",', b"[1]", b"oops", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_line_goes_as_it_is_for_the_contract_to_reject(raw: bytes) -> None:
    assert lines(raw) == [Outgoing(None, None, raw)]
    with pytest.raises(Rejected):
        Decoder(AIR).decode(raw)


def test_a_cloud_event_that_breaks_its_contract_goes_too() -> None:
    (event,) = lines(b'{"specversion":"1.0","time":"never","data":7}')
    assert isinstance(event, Outgoing)
    assert (event.at, event.key) == (None, None)


def test_a_plain_object_with_the_columns_of_a_mapping_is_mapped_like_a_row() -> None:
    cells = {"city_code": 330100, "city": "Hangzhou", "year": 2014, "day_index": 1, "pm25": 83.8}
    (event,) = lines(json.dumps(cells).encode())
    assert document(event)["id"] == "330100-2014-1"
    assert document(event)["data"]["pm25"] == 83.8


def test_plain_cumulative_figures_become_daily_ones() -> None:
    rows = [covid_cells("2020-01-20", "杭州市", 5), covid_cells("2020-01-21", "杭州市", 3)]
    found = list(map_lines(HEALTH, "past", enumerate(map(msgspec.json.encode, rows), 1)))
    assert [document(event)["data"]["cases"] for event in found if isinstance(event, Outgoing)] == [5, 3, 0]
    assert Decided(2, "corrected", "confirmed falls from 5 to 3") in found


def test_any_other_plain_object_is_the_data_itself() -> None:
    raw = b'{"time":"2026-03-01T12:00:00+08:00","station":"1233A","pm25":12}'
    (first,) = lines(raw)
    (again,) = lines(raw)
    assert first == again, "the id is the hash of the line"
    one = document(first)
    assert (one["source"], one["type"]) == ("/liaowang/send/ecology.air-quality", AIR.event_type)
    assert one["data"]["pm25"] == 12
    (named,) = lines(raw.replace(b"{", b'{"id":"a1","source":"/x",', 1))
    assert (document(named)["id"], document(named)["source"]) == ("a1", "/x")


def test_a_plain_object_without_a_time_is_unreadable() -> None:
    (found,) = lines(b'{"station":"1233A"}')
    assert isinstance(found, Unreadable)
    assert "needs `time`" in found.reason


def test_ticks_and_blank_lines_are_skipped_and_monsters_unreadable() -> None:
    found = lines(encode_tick(id="t", clock=NOON), b"", b'{"specversion":"' + b"1" * LONGEST + b'"}')
    assert found[:2] == [Skipped(1, "tick"), Skipped(2, "blank line")]
    assert isinstance(found[2], Unreadable)
