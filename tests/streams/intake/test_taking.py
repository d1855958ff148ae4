"""A batch of two major versions, judged without a server: what goes where, and what the answer says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract_model import Contract
from schemas.event import encode_event, type_of
from schemas.majors import upgraders
from streams.intake.mapping import Outgoing
from streams.intake.served import Refused, Served, serve
from streams.intake.taking import judge_batch
from streams.intake.upgrading import destinations, outgoing
from tests.majors import FEED, NEW, OLD, UPGRADE, declare, older
from tests.streams.intake.feeds import NOON
from tests.streams.intake.test_rights import RIGHTS

ENDED = datetime(2027, 6, 30, 16, tzinfo=UTC)
WORDS: dict[str, dict[str, Any]] = {
    OLD: {"station": "330100", "averaging": "1h", "pm25": 35.5},
    NEW: {"site": "330100", "period": "hour", "pm25_mg": 0.0355, "method": "beta"},
}


def event(type: str, id: str, **data: Any) -> bytes:
    """A reading of 35.5 µg/m3 in the words of either version."""
    given = {"region": "330100"} | WORDS.get(type, {}) | data
    return encode_event(id=id, source="/hangzhou", type=type, time=NOON, data=given)


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contract]:
    return declare(Path(tmp_path_factory.mktemp("taking")) / "feeds")


@pytest.fixture(scope="module")
def served(contracts: dict[str, Contract]) -> Served:
    return serve(contracts, {"ecology": "key", "health": "key2"}, "", None)


@given(st.lists(st.sampled_from([OLD, NEW, "x.y.v1", ""]), max_size=12))
def test_every_event_is_judged_once_by_the_version_it_names(served: Served, types: list[str]) -> None:
    items = [event(type, str(n)) if type else b"oops" for n, type in enumerate(types)]
    found = judge_batch(served, "ecology", served.feed(FEED, "ecology"), items, NOON)
    stored = {feed.contract.event_type: [raw for _, raw in records] for feed, records in found.parts}
    assert stored.get(OLD, []) == [raw for raw, type in zip(items, types, strict=True) if type == OLD]
    assert stored.get(NEW, []) == [raw for raw, type in zip(items, types, strict=True) if type == NEW]
    assert [fault.index for fault in found.faults] == [n for n, type in enumerate(types) if type not in WORDS]
    assert bool(found.headers) == (OLD in types) == bool(found.older)


def test_copies_go_to_the_topic_of_the_newer_with_its_key(contracts: dict[str, Contract]) -> None:
    raw, bad = event(OLD, "1"), event(OLD, "2", pm25=0)
    steps = upgraders(contracts, contracts[OLD])
    (own, kept), (other, copies) = destinations(contracts[OLD], steps, [(b"330100", raw), (None, bad)])
    assert (own, kept) == (contracts[OLD].topic, [(b"330100", raw), (None, bad)])
    assert other == contracts[FEED].topic
    ((key, copy),) = copies
    assert key == b"330100" and type_of(copy) == NEW
    assert msgspec.json.decode(copy)["data"] == WORDS[NEW] | {"region": "330100"}
    assert list(destinations(contracts[FEED], (), [(None, b"x")])) == [
        (contracts[FEED].topic, [(None, b"x")])
    ]
    moved = outgoing(Outgoing(NOON, b"330100", raw, correction=True), steps)
    assert moved == Outgoing(NOON, b"330100", copy, correction=True)
    assert outgoing(Outgoing(None, None, b"oops"), steps) is None


def test_a_copy_longer_than_a_message_is_left_out_not_sent_for_ever(
    contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    steps, events = (
        upgraders(contracts, contracts[OLD]),
        [(None, event(OLD, "1")), (None, event(OLD, "2" * 300))],
    )
    monkeypatch.setattr("streams.intake.upgrading.LONGEST", 500)
    own, (_, copies) = destinations(contracts[OLD], steps, events)
    assert own[1] == events and len(copies) == 1
    assert "once upgraded has no copy" in caplog.text


def test_addresses_and_rights(contracts: dict[str, Contract], served: Served) -> None:
    names = {name: served.feed(name, "ecology").contract.feed for name in (FEED, OLD, NEW)}
    assert names == {FEED: FEED, OLD: OLD, NEW: FEED}
    for name, status in ((f"{FEED}.v3", 404), ("x.y", 404)):
        with pytest.raises(Refused) as caught:
            served.feed(name, "ecology")
        assert caught.value.status == status
    moved = contracts | {OLD: replace(contracts[OLD], department="health")}
    other = serve(moved, {"ecology": "key", "health": "key2"}, "", None)
    with pytest.raises(Refused) as caught:
        judge_batch(other, "ecology", other.feed(FEED, "ecology"), [event(OLD, "1")], NOON)
    assert caught.value.status == 403
    alone = judge_batch(served, "ecology", served.feed(OLD, "ecology"), [event(NEW, "1")], NOON)
    assert [(fault.field, fault.rule) for fault in alone.faults] == [("type", "type")]


def test_the_copy_of_an_event_is_of_the_senders_regions_too(tmp_path: Path) -> None:
    """Where an upgrade says another region, the right to that one is asked as if the sender had sent it so."""
    moving = {"from": "region", "values": {"330110": "330203"}, "default": "330100"}
    moved = declare(tmp_path / "moved", older(upgrade=UPGRADE | {"region": moving}))
    tokens = {"ecology": "key", "ecology-hangzhou": "key2"}
    items = [event(OLD, "1"), event(OLD, "2", region="330110"), event(OLD, "3")]

    def faults(contracts: dict[str, Contract], department: str) -> list[tuple[int, str, str, str, str]]:
        known = serve(contracts, tokens, "", RIGHTS)
        judged = judge_batch(known, department, known.feed(FEED, department), items, NOON)
        return [(each.index, each.id, each.field, each.rule, each.value) for each in judged.faults]

    assert faults(moved, "ecology-hangzhou") == [(1, "2", "region", "scope", "330203")]
    assert faults(moved, "ecology") == [], "the whole province is its own"
    assert faults(declare(tmp_path / "same"), "ecology-hangzhou") == [], "its own region was asked"


def test_after_its_last_day_it_is_refused_in_one_line(served: Served) -> None:
    feed = served.feed(FEED, "ecology")
    for items in ([event(OLD, "1")], [event(NEW, "1"), event(OLD, "2")]):
        with pytest.raises(Refused) as caught:
            judge_batch(served, "ecology", feed, items, ENDED)
        assert caught.value.status == 410
        told = "ecology.air-quality.v1 was taken until 2027-06-30; send ecology.air-quality.v2"
        assert caught.value.answer == {"error": told}
        assert caught.value.response().headers["Sunset"] == "Wed, 30 Jun 2027 16:00:00 GMT"
    assert judge_batch(served, "ecology", feed, [event(NEW, "1")], ENDED).parts
