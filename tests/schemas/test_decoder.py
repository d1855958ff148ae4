"""The decoder: exact reasons, and for any bytes an event or Rejected, never anything else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contract import RULES, Contract, Field, load_contracts
from schemas.contract_model import REASONS
from schemas.decoder import KNOWN, Decoder
from schemas.errors import Rejected
from schemas.fields import DATES, TIMES, TIMESTAMPS
from schemas.text import control
from streams.land.classification import FAULT
from streams.land.storing import UNSTORABLE

CONTRACTS = load_contracts()
DECODERS = {feed: Decoder(contract) for feed, contract in CONTRACTS.items()}
AIR = "ecology.air-quality"
HEALTH = "health.infectious-disease"
REQUEST = "governance.citizen-request"
DROP = object()


def event(feed: str = AIR, changed: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    contract = CONTRACTS[feed]
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/hangzhou/ecology/air",
        "type": contract.event_type,
        "time": "2024-03-01T09:00:00+08:00",
        "data": {**contract.examples[0].data, **(changed or {})},
        **attributes,
    }
    return {name: value for name, value in envelope.items() if value is not DROP}


def reason(raw: bytes, feed: str = AIR) -> tuple[str, str, str]:
    with pytest.raises(Rejected) as caught:
        DECODERS[feed].decode(raw)
    return caught.value.field, caught.value.rule, caught.value.value


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


CONTROLS = [
    "\x00",
    "\n",
    "\r",
    "\t",
    "\x1b",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u200e",
    "\u202e",
    "\u2066",
    "\u061c",
]
TEXTS = replace(
    CONTRACTS[AIR],
    fields=(
        *CONTRACTS[AIR].fields,
        Field("name", "string", required=True),
        Field("note", "string", multiline=True),
    ),
)


def told(changed: dict[str, Any], ascii: bool = True, **attributes: Any) -> tuple[str, str]:
    raw = json.dumps(event(AIR, {"name": "杭", **changed}, **attributes), ensure_ascii=ascii).encode()
    try:
        Decoder(TEXTS).decode(raw)
    except Rejected as rejected:
        assert not control(rejected.value)
        return rejected.field, rejected.rule
    return "", ""


@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("char", CONTROLS, ids=ascii)
def test_control_characters_are_refused_in_every_text(char: str, ascii: bool) -> None:
    for name in ("id", "source", "corrects", "timeline"):
        assert told({}, ascii, **{name: f"a{char}b"}) == (name, "control")
    assert told({"name": f"a{char}b"}, ascii) == ("name", "control")
    lines = ("", "") if char in "\t\r\n" else ("note", "control")
    assert told({"note": f"a{char}b"}, ascii) == lines


@pytest.mark.parametrize(
    "text", ["a\\b", 'a"b', "a|b", "甲·乙—丙“丁”…", "°C µg/m³", "👩‍👩‍👧", "\u00a0x", "ئۇيغۇر", "\ufeff"]
)
def test_other_signs_stay(text: str) -> None:
    assert told({"name": text, "note": text}) == told({"name": text}, ascii=False, id=text) == ("", "")


@pytest.mark.parametrize("text", ["", " ", "  ", "\u3000", "\u00a0", "\t"])
def test_a_blank_text_is_no_value_of_a_required_field(text: str) -> None:
    assert told({"name": text}) == told({"name": text}, ascii=False) == ("name", "required")
    assert told({"note": text}) == ("", "")


@pytest.mark.parametrize("half", [r"\ud800", r"\udc00", r"\ud800a", r"\ud800\u0041", r"\udfff\ud800"])
def test_half_a_pair_of_surrogates_is_no_json(half: str) -> None:
    raw = json.dumps(event()).replace("e-1", half).encode()
    assert reason(raw)[1] == "json"


@given(st.text(max_size=8), st.text(max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_accepted_has_no_control_whatever_the_text(name: str, id: str, ascii: bool) -> None:
    raw = json.dumps(event(AIR, {"name": name}, id=id), ensure_ascii=ascii).encode(errors="surrogatepass")
    try:
        found = Decoder(TEXTS).decode(raw)
    except Rejected as rejected:
        assert rejected.rule in RULES
        return
    assert not control(found.id) and not control(found.data.name) and found.data.name.strip()
    assert (found.id, found.data.name) == (id, name)


def test_an_accepted_event_is_typed() -> None:
    found = DECODERS[AIR].decode(encoded(event(timeline="replay", corrects="e-0")))
    assert (found.id, found.source, found.corrects, found.timeline) == (
        "e-1",
        "/hangzhou/ecology/air",
        "e-0",
        "replay",
    )
    assert found.time == datetime(2024, 3, 1, 9, tzinfo=timezone(timedelta(hours=8)))
    assert (found.data.station, found.data.pm25, found.data.aqi) == ("1233A", 35.5, 51)


def test_absent_attributes_have_their_defaults() -> None:
    raw = event()
    del raw["data"]["aqi"]
    found = DECODERS[AIR].decode(encoded(raw))
    assert (found.corrects, found.timeline, found.data.aqi) == ("", "", None)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"id": DROP}, ("id", "envelope", "")),
        ({"id": ""}, ("id", "envelope", "")),
        ({"id": 7}, ("id", "envelope", "7")),
        ({"id": None}, ("id", "envelope", "null")),
        ({"id": "x" * 513}, ("id", "envelope", "x" * 200)),
        ({"source": DROP}, ("source", "envelope", "")),
        ({"specversion": DROP}, ("specversion", "envelope", "")),
        ({"specversion": "0.3"}, ("specversion", "envelope", "0.3")),
        ({"specversion": 1.0}, ("specversion", "envelope", "1.0")),
        ({"type": DROP}, ("type", "envelope", "")),
        ({"type": "ecology.air-quality.v2"}, ("type", "type", "ecology.air-quality.v2")),
        ({"time": DROP}, ("time", "envelope", "")),
        ({"time": "2024-03-01T09:00:00"}, ("time", "envelope", "2024-03-01T09:00:00")),
        ({"time": 1709254800}, ("time", "envelope", "1709254800")),
        ({"time": "10000-01-01T00:00:00Z"}, ("time", "envelope", "10000-01-01T00:00:00Z")),
        ({"time": "9999-12-31T23:59:59-23:59"}, ("time", "maximum", "9999-12-31T23:59:59-23:59")),
        ({"time": "0001-01-01T00:00:00+23:59"}, ("time", "minimum", "0001-01-01T00:00:00+23:59")),
        ({"time": "1969-12-31T15:59:59Z"}, ("time", "minimum", "1969-12-31T15:59:59Z")),
        ({"time": "2149-06-06T16:00:00Z"}, ("time", "maximum", "2149-06-06T16:00:00Z")),
        ({"corrects": 1}, ("corrects", "envelope", "1")),
        ({"corrects": None}, ("corrects", "envelope", "null")),
        ({"timeline": "x" * 129}, ("timeline", "envelope", "x" * 129)),
        ({"data": DROP}, ("data", "envelope", "")),
        ({"data": []}, ("data", "envelope", "[]")),
    ],
)
def test_a_broken_envelope(attributes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert reason(encoded(event(**attributes))) == expected


@pytest.mark.parametrize("time", ["1969-12-31T16:00:00Z", "2149-06-06T15:59:59.999999Z"])
def test_the_first_and_last_time_of_the_calendar(time: str) -> None:
    assert TIMES[0] <= DECODERS[AIR].decode(encoded(event(time=time))).time <= TIMES[1]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("event", "json", "")),
        (b"{", ("event", "json", "{")),
        (b"[]", ("event", "envelope", "[]")),
        (b"null", ("event", "envelope", "null")),
        (b'"text"', ("event", "envelope", "text")),
        (b"\xff\xfe", ("event", "json", "��")),
        (b"{} {}", ("event", "json", "{} {}")),
        (b"[" * 100_000, ("event", "json", "[" * 200)),
        (b'{"id":NaN}', ("event", "json", '{"id":NaN}')),
        (b"\xef\xbb\xbf{}", ("event", "json", "\ufeff{}")),
    ],
)
def test_bytes_that_are_no_event(raw: bytes, expected: tuple[str, str, str]) -> None:
    assert reason(raw) == expected


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b"[" * 50_000 + b"]" * 50_000]
)
def test_values_that_no_json_reader_takes(text: bytes) -> None:
    assert reason(encoded(event()).replace(b'"1233A"', text))[:2] == ("event", "json")


def with_pm25(text: bytes) -> bytes:
    return encoded(event()).replace(b"35.5", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1e999", ("pm25", "maximum", "1e999")),
        (b"-1e999", ("pm25", "minimum", "-1e999")),
        (b"9" * 5000, ("pm25", "maximum", "9" * 200)),
        (b"-" + b"9" * 5000, ("pm25", "minimum", "-" + "9" * 199)),
        (b"-0.0", ("pm25", "missing", "-0.0")),
        (b"true", ("pm25", "type", "true")),
        (b'"\xff"', ("pm25", "type", '"�"')),
        (b"{}", ("pm25", "type", "{}")),
    ],
)
def test_numbers_beyond_measure(text: bytes, expected: tuple[str, str, str]) -> None:
    assert reason(with_pm25(text)) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"9223372036854775808", "maximum"),
        (b"-9223372036854775809", "minimum"),
        (b"9" * 30, "maximum"),
        (b"9" * 5000, "maximum"),
        (b"-" + b"9" * 5000, "minimum"),
        (b"1.0", "type"),
        (b"1e3", "type"),
    ],
)
def test_integers_beyond_64_bits(text: bytes, rule: str) -> None:
    raw = encoded(event("duty.warning", {"rule_version": 77771})).replace(b"77771", text)
    assert reason(raw, "duty.warning")[:2] == ("rule_version", rule)


@pytest.mark.parametrize("value", [35, 35.0, 1e2, 1000])
def test_whole_numbers_are_numbers(value: float) -> None:
    assert DECODERS[AIR].decode(encoded(event(AIR, {"pm25": value}))).data.pm25 == value


@pytest.mark.parametrize(
    ("feed", "data", "expected"),
    [
        (AIR, {"station": "A" * 33}, ("station", "length")),
        (AIR, {"station": "1233A\n"}, ("station", "pattern")),
        (AIR, {"station": ""}, ("station", "required")),
        (AIR, {"region": ""}, ("region", "required")),
        (AIR, {"region": 330110}, ("region", "type")),
        (AIR, {"averaging": None}, ("averaging", "required")),
        (HEALTH, {"date": "2020-1-28"}, ("date", "type")),
        (HEALTH, {"date": "10000-01-01"}, ("date", "type")),
        (HEALTH, {"date": "2300-01-01"}, ("date", "maximum")),
        (REQUEST, {"received_at": "1899-12-31T23:59:59+08:00"}, ("received_at", "minimum")),
        (REQUEST, {"received_at": "9999-12-31T23:59:59-12:00"}, ("received_at", "maximum")),
    ],
)
def test_fields(feed: str, data: dict[str, Any], expected: tuple[str, str]) -> None:
    assert reason(encoded(event(feed, data)), feed)[:2] == expected


def test_the_first_broken_field_in_the_contract_s_order_is_the_reason() -> None:
    assert reason(encoded(event(AIR, {"pm25": -1, "station": None})))[:2] == ("station", "required")


def test_unknown_fields_never_reject() -> None:
    raw = encoded(event(extra={"a": [1]}))
    raw = raw.replace(b'"station"', b'"x":1e999,"y":"\xff","station"')
    assert DECODERS[AIR].decode(raw).data.station == "1233A"


def test_a_repeated_key_with_one_wrong_value_is_not_json_to_trust() -> None:
    raw = encoded(event()).replace(b'"station"', b'"pm25": -1, "station"')
    assert reason(raw)[:2] == ("event", "json")


def test_a_shown_value_can_be_stored() -> None:
    for raw in (b'{"id":"\\ud800"}', b"\xff" * 3000, encoded(event(AIR, {"region": "区" * 500}))):
        shown = reason(raw)[2]
        assert len(shown) <= 200
        assert shown.encode()


def test_calendars_are_those_of_the_warehouse() -> None:
    assert (TIMES[0].date().isoformat(), TIMES[1].date().isoformat()) == ("1970-01-01", "2149-06-06")
    assert (DATES[0].year, DATES[1].year) == (TIMESTAMPS[0].year, TIMESTAMPS[1].year) == (1900, 2299)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
feeds = st.sampled_from(sorted(CONTRACTS))


def outcome(feed: str, raw: bytes) -> tuple[str, str] | None:
    """The reason of rejection, or None; any other exception fails the test."""
    try:
        found = DECODERS[feed].decode(raw)
    except Rejected as rejected:
        assert rejected.rule in RULES
        assert len(rejected.value) <= 200
        rejected.value.encode()
        return rejected.field, rejected.rule
    assert TIMES[0] <= found.time <= TIMES[1]
    return None


@given(feeds, st.binary(max_size=400))
def test_any_bytes(feed: str, raw: bytes) -> None:
    assert outcome(feed, raw) is not None


@given(feeds, json_values)
def test_any_json(feed: str, value: Any) -> None:
    assert outcome(feed, encoded(value)) is not None


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid event with some bytes replaced, removed or inserted."""
    feed = draw(feeds)
    raw = bytearray(encoded(event(feed)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return feed, bytes(raw)


@settings(max_examples=500)
@given(mutated())
def test_any_damage(damaged: tuple[str, bytes]) -> None:
    outcome(*damaged)


def wrong_values(contract: Contract) -> st.SearchStrategy[dict[str, Any]]:
    names = [field.name for field in contract.fields]
    edge = st.sampled_from(
        [2**63, -(2**63) - 1, 0, -1, 0.5, "", "2024-03-01", "2024-03-01T09:00:00Z", "330110"]
    )
    return st.dictionaries(st.sampled_from(names), edge | json_values, min_size=1, max_size=3)


@settings(max_examples=500)
@given(feeds.flatmap(lambda feed: st.tuples(st.just(feed), wrong_values(CONTRACTS[feed]))))
def test_the_reason_is_one_of_the_fields_that_were_changed(changed: tuple[str, dict[str, Any]]) -> None:
    feed, data = changed
    found = outcome(feed, encoded(event(feed, data)))
    assert found is None or found[0] in data or found == ("event", "json")


@settings(max_examples=300)
@given(feeds.flatmap(lambda feed: st.tuples(st.just(feed), wrong_values(CONTRACTS[feed]))))
def test_both_ways_agree(changed: tuple[str, dict[str, Any]]) -> None:
    """The slow way finds a rule of a field for whatever well-formed event the fast way refuses."""
    raw = msgspec.json.encode(event(*changed))
    found = outcome(changed[0], raw)
    assert found is None or found[0] in changed[1]


def test_however_many_texts_a_pattern_has_let_through_it_keeps_the_others_out() -> None:
    decoder = Decoder(CONTRACTS[AIR])
    for number in range(KNOWN + 2):
        decoder.decode(encoded(event(changed={"station": f"S{number}"})))
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            decoder.decode(encoded(event(changed={"station": "S 1"})))
        assert (caught.value.field, caught.value.rule) == ("station", "pattern")


def test_an_optional_text_with_a_pattern_may_be_absent() -> None:
    air = CONTRACTS[AIR]
    fields = tuple(
        replace(field, required=False) if field.name == "station" else field for field in air.fields
    )
    decoder = Decoder(replace(air, fields=fields))
    assert decoder.decode(encoded(event(changed={"station": None}))).data.station is None
    for number in range(KNOWN + 2):
        decoder.decode(encoded(event(changed={"station": f"S{number}"})))
    assert decoder.decode(encoded(event(changed={"station": None}))).data.station is None
    with pytest.raises(Rejected):
        decoder.decode(encoded(event(changed={"station": "S 1"})))


def test_a_missing_marker_inside_the_bounds_is_told_apart_from_a_value() -> None:
    air = CONTRACTS[AIR]
    fields = tuple(replace(field, missing=(999,)) if field.name == "pm25" else field for field in air.fields)
    decoder = Decoder(replace(air, fields=fields))
    with pytest.raises(Rejected) as caught:
        decoder.decode(encoded(event(changed={"pm25": 999})))
    assert (caught.value.field, caught.value.rule) == ("pm25", "missing")


def test_the_documents_have_every_reason_of_a_rejection_and_no_other() -> None:
    text = (Path(__file__).parents[2] / "docs" / "declarations.md").read_text(encoding="utf-8")
    told = text.partition("**Reasons of rejection** (`rule`): ")[2].partition("A tick that no table")[0]
    others = {"id", "source", "corrects", "timeline", "skew"}
    assert set(re.findall(r"`([a-z]+)`", told)) - others == set(REASONS) == {*RULES, UNSTORABLE, FAULT}


def test_blanks_are_no_value_of_a_required_field_even_where_its_pattern_has_them() -> None:
    note = Field(name="note", kind="string", required=True, pattern="[ a-z]+")
    decode = Decoder(replace(CONTRACTS[AIR], fields=(*CONTRACTS[AIR].fields, note))).decode
    assert decode(encoded(event(changed={"note": "a b"}))).data.note == "a b"
    for value, rule in (("  ", "required"), ("A", "pattern")):
        with pytest.raises(Rejected) as found:
            decode(encoded(event(changed={"note": value})))
        assert (found.value.field, found.value.rule) == ("note", rule)
