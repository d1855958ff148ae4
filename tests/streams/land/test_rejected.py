"""What is sent for a rejected event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.event import encode_event
from streams.land.rejected import Rejection, edited, prepare, read_ref

AIR = load_contracts()["ecology.air-quality"]
NOW = datetime(2024, 3, 1, tzinfo=UTC)
DATA = {"station": "1233A", "region": "330110", "averaging": "1h", "pm25": 2000}


def event(**data: Any) -> bytes:
    return encode_event(id="a", source="/s", type=AIR.event_type, time=NOW, data=DATA | data)


def rejection(raw: bytes) -> Rejection:
    return Rejection(
        *(AIR.topic, 1, 2, 77, AIR.feed, NOW, "", "pm25", "maximum", "2000", "a", "/s"),
        raw=raw,
    )


def send(raw: bytes, accepted: dict[tuple[str, str], bytes] | None = None) -> Any:
    return prepare(AIR, Decoder(AIR), rejection(event()), raw, accepted or {})


def test_a_corrected_event_goes_under_its_own_id() -> None:
    made = send(edited(AIR, event(), {"pm25": "20.5"}))
    assert (made.source, made.id, made.corrects) == ("/s", "a", "")
    assert made.data["pm25"] == 20.5


def test_what_still_breaks_the_contract_is_rejected() -> None:
    with pytest.raises(Rejected, match="pm25: maximum"):
        send(edited(AIR, event(), {"region": "330106"}))
    with pytest.raises(Rejected, match="json"):
        edited(AIR, b"{broken", {"pm25": "1"})


def test_an_event_that_was_accepted_since_is_corrected_not_doubled() -> None:
    raw = event(pm25=20.5)
    made = send(raw, {("/s", "a"): event(pm25=19)})
    assert (made.id, made.corrects) == ("a~1.2.77", "a")
    assert msgspec.json.decode(made.raw)["corrects"] == "a"
    assert send(raw, {("/s", "a"): raw}).corrects == ""


def test_fields_of_text_are_text_and_others_are_json() -> None:
    raw = edited(
        AIR, event(), {"aqi": "null", "station": "12 B", "region": "330110", "time": "2024-03-02T00:00:00Z"}
    )
    document = msgspec.json.decode(raw)
    assert (document["data"]["aqi"], document["data"]["station"]) == (None, "12 B")
    assert (document["data"]["region"], document["time"]) == ("330110", "2024-03-02T00:00:00Z")


def test_a_place_is_read_in_both_forms() -> None:
    assert read_ref("feed.a.b/1/2/3") == ("feed.a.b", 1, 2, 3)
    assert read_ref("feed.a.b:2:3") == ("feed.a.b", None, 2, 3)
    with pytest.raises(Misdeclared, match="must be"):
        read_ref("feed.a.b")
