"""No reason of a rejection shows a personal value, whatever is wrong with the event that holds it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blanking import WITHHELD, personal_fields
from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Rejected
from streams.land.classification import Batch, Refused
from streams.land.columns import Landed
from streams.land.refusals import messages

OPEN = load_contracts()["governance.citizen-request"]
HIDDEN = next(field.name for field in OPEN.fields if field.kind == "string" and not field.enum)
CONTRACT = replace(
    OPEN,
    fields=tuple(
        replace(field, classification="personal") if field.name == HIDDEN else field for field in OPEN.fields
    ),
)
DECODER = Decoder(CONTRACT)
GOOD = next(example for example in OPEN.examples if example.accepted).data
SECRET = "330106199001011234"


def event(data: Any, **more: Any) -> bytes:
    envelope = {
        "specversion": "1.0",
        "id": "1",
        "source": "/x",
        "type": CONTRACT.event_type,
        "time": "2026-03-01T08:00:00+08:00",
    }
    return json.dumps(envelope | more | {"data": data}, ensure_ascii=False).encode()


def reason(raw: bytes) -> Rejected:
    with pytest.raises(Rejected) as found:
        DECODER.decode(raw)
    return found.value


WHOLE = event({**GOOD, HIDDEN: SECRET})


@pytest.mark.parametrize(
    "raw",
    [
        event({**GOOD, HIDDEN: SECRET * 200}),
        event({**GOOD, HIDDEN: [SECRET]}),
        event({**GOOD, HIDDEN: {"number": SECRET}}),
        event({**GOOD, HIDDEN: int(SECRET)}),
        event([SECRET]),
        event(SECRET),
        event({**GOOD, HIDDEN: SECRET})[:-2],
        event({**GOOD, "unknown": SECRET})[:-1],
        WHOLE.replace(b'"data"', b'"data": {"x": "' + SECRET.encode() + b'"}, "data'),
        b"oops " + SECRET.encode(),
        f"{SECRET},张三,1".encode(),
        json.dumps([SECRET]).encode(),
        json.dumps(SECRET).encode(),
        WHOLE.replace(b"1.0", b"\xff"),
        b"\xff" + SECRET.encode(),
    ],
)
def test_no_reason_shows_it(raw: bytes) -> None:
    found = reason(raw)
    assert SECRET not in str(found) and SECRET[:6] not in found.value
    assert "withheld: personal" in found.value


def test_what_is_wrong_is_still_said() -> None:
    assert personal_fields(CONTRACT) == {HIDDEN} and not personal_fields(OPEN)
    found = reason(event({**GOOD, HIDDEN: [SECRET]}))
    assert (found.field, found.rule, found.value) == (HIDDEN, "type", WITHHELD)
    assert reason(event({**GOOD, "region": "999999"})).value == "999999"
    with pytest.raises(Rejected, match="oops"):
        Decoder(OPEN).decode(b"oops")
    missing = {name: value for name, value in GOOD.items() if name != HIDDEN}
    required = next(field.required for field in CONTRACT.fields if field.name == HIDDEN)
    assert not required or reason(event(missing)).value == ""


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=4))
def test_no_damage_makes_it_show(start: int, length: int, instead: bytes) -> None:
    raw = WHOLE[:start] + instead + WHOLE[start + length :]
    try:
        DECODER.decode(raw)
    except Rejected as found:
        assert SECRET not in found.value


def test_the_topic_of_refusals_carries_no_event_of_a_personal_feed() -> None:
    row = Refused(7, 0, "", HIDDEN, "type", WITHHELD, "1", "/x", WHOLE)
    landed = Landed(CONTRACT.topic, CONTRACT.feed, 0, 0, Batch(7, 7, [], [row], [], {}, 0))
    ((_, told),) = messages([landed], {CONTRACT.feed})
    assert SECRET.encode() not in told and json.loads(told)["data"]["withheld"] == "personal"
    ((_, whole),) = messages([landed])
    assert json.loads(json.loads(whole)["data"]["raw"])["data"][HIDDEN] == SECRET
