"""A link works for its officer, its case and its time, and in no other way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Misdeclared
from streams.duty.notify.links import LIFETIME, AcknowledgeLink, LinkRefused, make_link, read_link

BASE, KEY, NOW = "https://duty.example", "a key for tests", 1_800_000_000.5


def token(case: str = "17", officer: str = "4", key: str = KEY) -> str:
    return make_link(BASE, key, case, officer, NOW).removeprefix(f"{BASE}/a/")


@given(st.text(), st.text(), st.integers(1, 10**6))
def test_it_says_whose_and_which_until_it_expires(case: str, officer: str, lifetime: int) -> None:
    address = make_link(f"{BASE}/", KEY, case, officer, NOW, lifetime)
    text = address.removeprefix(f"{BASE}/a/")
    expected = AcknowledgeLink(case, officer, int(NOW) + lifetime)
    assert read_link(KEY, text, NOW + lifetime - 1) == expected
    with pytest.raises(LinkRefused, match="expired"):
        read_link(KEY, text, NOW + lifetime)


@given(st.data())
def test_any_other_character_anywhere_is_noticed(data: st.DataObject) -> None:
    good = token()
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from("AZaz09-_.=").filter(lambda c: c != good[at]))
    forged = good[:at] + other + good[at + 1 :]
    try:
        assert read_link(KEY, forged, NOW) == AcknowledgeLink("17", "4", int(NOW) + LIFETIME)
    except LinkRefused as refused:
        assert refused.reason == "forged"


def test_another_key_another_officers_head_and_rubbish_are_forged() -> None:
    mine, theirs = token(officer="4"), token(officer="5")
    swapped = f"{theirs.split('.')[0]}.{mine.split('.')[1]}"
    for text in (token(key="another"), swapped, "", ".", "x.y", "中文", "W10." + mine.split(".")[1]):
        with pytest.raises(LinkRefused, match="forged"):
            read_link(KEY, text, NOW)


def test_it_fits_into_a_short_message() -> None:
    assert len(make_link("http://127.0.0.1:18060", KEY, "123456", "1234", NOW)) < 120


def test_without_a_key_there_are_no_links() -> None:
    with pytest.raises(Misdeclared, match="CONSOLE_KEY"):
        make_link(BASE, "", "17", "4", NOW)
