"""What a push says, and its signature."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.levels import LEVELS
from streams.duty.notify.signature import TOLERANCE, complaint, sign
from streams.duty.systems.push import Push, push_of
from tests.streams.duty.parts import warning

DECODER = Decoder(load_contracts()["duty.warning"])


def test_a_push_says_what_the_officer_needs_and_no_evidence() -> None:
    push = push_of(DECODER.decode(warning(7, level="red", timeline="last winter")))
    assert json.loads(push.payload) == {
        "id": "w-7",
        "rule": "ecology.pm25-high",
        "title": "PM2.5 细颗粒物 is high",
        "level": "red",
        "kind": "opened",
        "subject": "station-7",
        "region": "330110",
        "value": 160.5,
        "threshold": 150.0,
        "runbook": "Ask the station.",
        "duty_role": "ecology-duty",
        "episode": "episode-7",
        "ordinal": 0,
        "at": "2026-03-01T08:00:00+00:00",
        "timeline": "last winter",
    }
    assert b"evidence" not in push.payload


def test_a_live_push_names_no_timeline() -> None:
    assert "timeline" not in json.loads(push_of(DECODER.decode(warning(7))).payload)


def test_the_id_is_the_key_and_the_level_ranks() -> None:
    push = push_of(DECODER.decode(warning(7, level="orange")))
    assert (push.id, push.level, push.rank) == ("w-7", "orange", 1)
    assert [Push("x", level, b"").rank for level in LEVELS] == [0, 1, 2, 3]


def test_every_example_of_the_contract_can_be_pushed() -> None:
    contract = load_contracts()["duty.warning"]
    for example in [example for example in contract.examples if example.accepted]:
        event = json.loads(warning(1))
        event["data"] = dict(example.data)
        assert json.loads(push_of(DECODER.decode(json.dumps(event).encode())).payload)["rule"]


def test_the_signature_is_hmac_sha256_of_timestamp_and_body() -> None:
    """Worked out from RFC 2104 with plain hashing, not with the module under test."""
    key = b"secret".ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + b"1772352000.{}").digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).hexdigest()
    assert sign("secret", 1772352000, b"{}") == f"v1={outer}"


@given(body=st.binary(), now=st.integers(0, 10**11), skew=st.integers(-TOLERANCE, TOLERANCE))
def test_a_signed_request_is_believed_within_five_minutes(body: bytes, now: int, skew: int) -> None:
    stamp = max(0, now + skew)
    assert complaint("k", str(stamp), sign("k", stamp, body), body, now) == ""


@pytest.mark.parametrize(
    ("key", "timestamp", "body", "now", "says"),
    [
        ("other", "1000", b"{}", 1000.0, "Signature"),
        ("k", "1001", b"{}", 1000.0, "Signature"),
        ("k", "1000", b"{ }", 1000.0, "Signature"),
        ("k", "1000", b"{}", 1301.0, "Timestamp"),
        ("k", "1000", b"{}", 699.0, "Timestamp"),
        ("k", "yesterday", b"{}", 1000.0, "Timestamp"),
        ("k", "", b"{}", 1000.0, "Timestamp"),
        ("k", "-1000", b"{}", 1000.0, "Timestamp"),
    ],
)
def test_anything_else_is_not_believed(key: str, timestamp: str, body: bytes, now: float, says: str) -> None:
    assert says in complaint(key, timestamp, sign("k", 1000, b"{}"), body, now)


@given(signature=st.text(), timestamp=st.text())
def test_no_header_breaks_the_check(signature: str, timestamp: str) -> None:
    assert complaint("k", timestamp, signature, b"{}", 0.0)
