"""Two major versions of one feed at the gateway and in files: each judged by its own contract, one upgraded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.departments import Departments
from schemas.errors import Misdeclared
from schemas.event import decode_tick
from schemas.majors import upgraders
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.broker_health import BrokerHealth
from streams.intake.files import inspect
from streams.intake.gateway import Gateway
from streams.intake.replays import Replays, read_replays
from streams.intake.rights import Rights
from streams.intake.sending import Request, carry_out
from tests.majors import FEED, NEW, OLD, declare
from tests.streams.intake.broker import Notes, read, retry
from tests.streams.intake.conftest import create
from tests.streams.intake.feeds import NOON
from tests.streams.intake.test_gateway import TOKENS, posting
from tests.streams.intake.test_taking import ENDED, event

pytestmark = pytest.mark.stack


@pytest.fixture
def contracts(tmp_path: Path, kafka: str, topic: str) -> dict[str, Contract]:
    """Both versions, each on a topic of this test."""
    found = declare(tmp_path / "feeds")
    create(kafka, f"{topic}.v2", 3)
    return {
        FEED: replace(found[FEED], topic=f"{topic}.v2"),
        OLD: replace(found[OLD], topic=topic),
    }


def log(kafka: str, contract: Contract) -> list[Any]:
    """The events of a topic as their contract reads them, by id."""
    decode = Decoder(contract).decode
    raws = (raw for part in read(kafka, contract.topic).values() for _, raw in part)
    return sorted((decode(raw) for raw in raws if decode_tick(raw) is None), key=lambda found: found.id)


def serve(
    kafka: str, contracts: Mapping[str, Contract], at: datetime = NOON, rights: Rights | None = None
) -> Any:
    producer = AcknowledgedProducer(kafka)
    known = BrokerHealth(kafka, lambda: at)
    return posting(Gateway(contracts, TOKENS, producer, known, lambda: at, rights=rights))


def path(name: str) -> str:
    return f"/v1/feeds/{name}/events"


def test_one_batch_may_hold_both_and_each_is_judged_by_its_own(
    kafka: str, contracts: dict[str, Contract]
) -> None:
    async def scene() -> None:
        async with serve(kafka, contracts) as post:
            body = b"\n".join([event(OLD, "1"), event(NEW, "2"), event(OLD, "3", pm25=12.25)])
            status, answer, headers = await post(body, path=path(FEED))
            assert (status, answer) == (202, {"accepted": 3})
            assert headers["Deprecation"] == "@1767196800"
            assert headers["Sunset"] == "Wed, 30 Jun 2027 16:00:00 GMT"
            status, _, headers = await post(event(NEW, "4"), path=path(FEED))
            assert status == 202 and not {"Deprecation", "Sunset"} & headers.keys()
            for again in (FEED, OLD):
                assert (await post(event(OLD, "5"), path=path(again)))[2]["Deprecation"] == "@1767196800"
            assert (await post(event(NEW, "2"), path=path(NEW)))[0] == 202

    asyncio.run(scene())
    assert [each.id for each in log(kafka, contracts[OLD])] == ["1", "3", "5", "5"]
    found = log(kafka, contracts[FEED])
    assert Counter(each.id for each in found) == {"1": 1, "2": 2, "3": 1, "4": 1, "5": 2}
    same = Decoder(contracts[FEED]).decode(event(NEW, "1"))
    assert msgspec.to_builtins(found[0]) == msgspec.to_builtins(same), "as if it had been sent so"
    assert next(each for each in found if each.id == "3").data.pm25_mg == 0.01225


def test_a_fault_is_told_by_its_place_and_nothing_of_either_is_stored(
    kafka: str, contracts: dict[str, Contract]
) -> None:
    async def scene() -> None:
        async with serve(kafka, contracts) as post:
            bad = [event(NEW, "1"), event(OLD, "2", pm25=0), event("x.v9", "3"), event(OLD, "4"), b"oops"]
            status, answer, headers = await post(b"\n".join(bad), path=path(FEED))
            assert status == 422 and headers["Sunset"]
            assert answer["error"] == "3 of 5 events break the contract; nothing is stored"
            told = [(each["index"], each["field"], each["rule"]) for each in answer["rejected"]]
            assert told == [(1, "pm25", "missing"), (2, "type", "type"), (4, "event", "json")]
            status, answer, _ = await post(event(NEW, "1"), path=path(OLD))
            assert (status, answer["rejected"][0]["field"]) == (422, "type"), (
                "its own address takes its own alone"
            )

    asyncio.run(scene())
    assert log(kafka, contracts[OLD]) == log(kafka, contracts[FEED]) == []


def test_after_its_last_day_the_older_is_refused_in_one_line(
    kafka: str, contracts: dict[str, Contract]
) -> None:
    async def scene() -> None:
        async with serve(kafka, contracts, ENDED) as post:
            for body in (event(OLD, "1"), event(NEW, "2") + b"\n" + event(OLD, "1")):
                status, answer, headers = await post(body, path=path(FEED))
                told = "ecology.air-quality.v1 was taken until 2027-06-30; send ecology.air-quality.v2"
                assert (status, answer) == (410, {"error": told})
                assert headers["Sunset"] == "Wed, 30 Jun 2027 16:00:00 GMT"
            assert (await post(event(NEW, "2"), path=path(FEED)))[0] == 202

    asyncio.run(scene())
    assert (log(kafka, contracts[OLD]), len(log(kafka, contracts[FEED]))) == ([], 1)


def test_the_rights_are_those_of_each_version(kafka: str, contracts: dict[str, Contract]) -> None:
    moved = contracts | {OLD: replace(contracts[OLD], department="health")}

    async def scene() -> None:
        async with serve(kafka, moved, rights=Rights(Departments({}))) as post:
            assert (await post(event(NEW, "1"), path=path(FEED)))[0] == 202
            assert (await post(event(OLD, "2"), path=path(FEED)))[0] == 403
            assert (await post(event(OLD, "2"), TOKENS["health"], path(OLD)))[0] == 202
            assert (await post(event(OLD, "2"), TOKENS["health"], path(FEED)))[0] == 403

    asyncio.run(scene())


def test_without_an_upgrade_the_older_stays_apart(kafka: str, contracts: dict[str, Contract]) -> None:
    apart = contracts | {OLD: replace(contracts[OLD], upgrade=None)}

    async def scene() -> None:
        async with serve(kafka, apart) as post:
            assert (await post(event(OLD, "1"), path=path(FEED)))[0] == 202

    asyncio.run(scene())
    assert (len(log(kafka, apart[OLD])), log(kafka, apart[FEED])) == (1, [])


def _replays(kafka: str) -> Replays:
    return asyncio.run(read_replays(kafka, retry()))


def test_a_file_sent_as_the_newest_stays_known_when_another_version_is_that(
    kafka: str, contracts: dict[str, Contract], tmp_path: Path
) -> None:
    file = tmp_path / "newest.jsonl"
    file.write_bytes(event(NEW, "1") + b"\n")
    (sent,) = asyncio.run(carry_out(Request(contracts[FEED], (file,), NOON), kafka, retry(), Notes()))
    assert sent.tally.events == 1
    known = inspect(contracts[FEED], file).identity(FEED)
    assert _replays(kafka).done[known].feed == FEED, "as before there were several versions"
    older = replace(contracts[FEED], feed=NEW)
    assert asyncio.run(carry_out(Request(older, (file,), NOON), kafka, retry(), Notes())) == []


def test_a_file_of_the_older_is_sent_as_the_newer_too(
    kafka: str, contracts: dict[str, Contract], tmp_path: Path
) -> None:
    file = tmp_path / "readings.jsonl"
    wrong = event(OLD, "3", pm25=0)
    file.write_bytes(b"\n".join([event(OLD, "1"), event(OLD, "2"), wrong, b"oops"]) + b"\n")
    asked = Request(contracts[OLD], (file,), NOON, upgrades=upgraders(contracts, contracts[OLD]))
    notes = Notes()
    (outcome,) = asyncio.run(carry_out(asked, kafka, retry(), notes))
    assert outcome.tally.events == 4, "what breaks its contract is for landing to reject"
    assert "timeline readings: 2 of them sent as ecology.air-quality.v2 too" in notes.said
    found = log(kafka, contracts[FEED])
    assert [(each.id, each.timeline, each.data.pm25_mg) for each in found] == [
        ("1", "readings", 0.0355),
        ("2", "readings", 0.0355),
    ]
    for contract in contracts.values():
        ends = [
            [tick.data.final for _, raw in part if (tick := decode_tick(raw))][-1]
            for part in read(kafka, contract.topic).values()
        ]
        assert ends == [True] * 3, "its time ends in every partition of both"
    again = asyncio.run(carry_out(asked, kafka, retry(), Notes()))
    assert again == [] and repr(log(kafka, contracts[FEED])) == repr(found), (
        "each decoder has a type of its own"
    )
    (done,) = [each for each in _replays(kafka).done if each == inspect(contracts[OLD], file).identity(FEED)]
    alone = replace(asked, contract=replace(contracts[OLD], feed=FEED, sunset=None), upgrades=())
    assert asyncio.run(carry_out(alone, kafka, retry(), Notes())) == [] and done, "known by the feed's name"
    late = replace(asked, now=ENDED)
    with pytest.raises(Misdeclared, match="was taken until 2027-06-30; send ecology"):
        asyncio.run(carry_out(late, kafka, retry(), Notes()))
