"""Pseudonyms: what a contract declares, what is made of a value, and what the tables and marts hold of it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.mart.views import feed_mart
from quality.rows import row_rules
from quality.suites import suite_for
from schemas.contract import load_contracts, parse_contract
from schemas.contract_model import Contract, Field
from schemas.ddl.render import view
from schemas.errors import Misdeclared
from schemas.pseudonyms import Pseudonyms
from schemas.tables import column_type
from streams.land.classification import Batch
from streams.land.columns import FeedColumns, Landed

KEY = Pseudonyms("a key that nobody knows")
AIR = load_contracts()["ecology.air-quality"]
PHONE = Field(
    "phone",
    "string",
    pattern="^1[0-9]{10}$",
    classification="personal",
    pseudonymised=True,
    description="Phone",
)


def with_phone() -> Contract:
    return replace(AIR, fields=(*AIR.fields, PHONE))


@given(st.text(), st.text())
def test_the_same_value_has_one_pseudonym_which_is_its_hmac(one: str, other: str) -> None:
    digest = hmac.new(KEY.key.encode(), one.encode(), hashlib.sha256).hexdigest()
    assert KEY.of(one) == f"{KEY.key_id}:{digest[:32]}"
    assert (KEY.of(one) == KEY.of(other)) is (one == other)


def test_another_key_makes_others_and_says_so() -> None:
    other = Pseudonyms("another key")
    assert other.key_id != KEY.key_id
    assert other.of("13800000000") != KEY.of("13800000000")
    assert "nobody" not in repr(KEY)


def test_landing_stores_the_pseudonym_and_refuses_to_store_the_value() -> None:
    event = SimpleNamespace(
        id="a",
        source="/s",
        corrects="",
        timeline="",
        data=SimpleNamespace(
            station="1", region="330110", averaging="1h", pm25=1.0, aqi=None, phone="13800000000"
        ),
    )
    accepted: Any = (0, 0, 0, 0, event, b"{}")
    batch = Batch(0, 0, [accepted], [], [], {}, 0)
    columns = FeedColumns(with_phone(), KEY)([Landed("t", AIR.feed, 0, 0, batch)])
    assert columns["phone"] == [KEY.of("13800000000")]
    event.data.phone = None
    assert FeedColumns(with_phone(), KEY)([Landed("t", AIR.feed, 0, 0, batch)])["phone"] == [None]
    with pytest.raises(Misdeclared, match="PSEUDONYM_KEY"):
        FeedColumns(with_phone())


def test_form_is_judged_when_the_event_arrives_and_not_of_its_pseudonym() -> None:
    contract = with_phone()
    assert not [rule for rule in row_rules(contract) if rule.name.startswith("phone")]
    assert not [item for item in suite_for(contract).expectations if item.kwargs.get("column") == "phone"]
    assert column_type(contract, PHONE) == "Nullable(String)"


def test_the_mart_shows_the_pseudonym_and_never_the_plain_field() -> None:
    shown = " ".join(map(view, feed_mart(with_phone())))
    assert "`phone`" in shown
    assert "a pseudonym" in shown
    plain = replace(AIR, fields=(*AIR.fields, replace(PHONE, pseudonymised=False)))
    assert "phone" not in " ".join(map(view, feed_mart(plain)))


@pytest.mark.parametrize(
    ("kind", "classification"), [("integer", "personal"), ("string", "internal"), ("string", "public")]
)
def test_only_personal_text_is_pseudonymised(kind: str, classification: str, tmp_path: Path) -> None:
    text = AIR.path.read_text(encoding="utf-8")
    field = (
        f"      - name: phone\n        logicalType: {kind}\n        required: false\n"
        f"        classification: {classification}\n        description: Phone.\n"
        "        customProperties:\n          - {property: pseudonymised, value: true}\n"
    )
    changed = text.replace("      - name: station\n", field + "      - name: station\n")
    path = tmp_path / "ecology" / "air-quality.yaml"
    with pytest.raises(Misdeclared, match="classified as personal"):
        parse_contract(changed, path)
    good = changed.replace(f"logicalType: {kind}", "logicalType: string", 1)
    good = good.replace(f"classification: {classification}", "classification: personal", 1)
    assert parse_contract(good, path).field("phone").pseudonymised
