"""The gateway over real HTTP and the real broker: who may post what, and what each answer means."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from schemas.department_yaml import parse_departments
from schemas.event import decode_tick
from schemas.in_use import FILES, FOLDER, take
from schemas.settings import Settings
from streams.http_guard import UNWELL
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.broker_health import BrokerHealth
from streams.intake.gateway import MAX_BODY, MAX_ITEMS, Gateway, take_again
from streams.intake.journal import JsonLines
from streams.intake.rights import Rights
from streams.intake.served import AT_ONCE, WAITING
from streams.intake.stamp import read_stamp, stamp_of
from tests.streams.intake.broker import read
from tests.streams.intake.feeds import AIR, HEALTH, NOON, air, on_topic

pytestmark = pytest.mark.stack
TOKENS = {"ecology": "key-of-ecology", "health": "key-of-health", "nobody": ""}
PATH = f"/v1/feeds/{AIR.feed}/events"
NOBODY = "127.0.0.1:1"

Post = Callable[..., Awaitable[tuple[int, Any, Any]]]


def now() -> datetime:
    return NOON


@asynccontextmanager
async def serving(kafka: str, topic: str) -> AsyncIterator[Post]:
    """Run a gateway on a free port; what it gives posts to it and returns status, JSON and headers."""
    contracts = {AIR.feed: on_topic(AIR, topic), HEALTH.feed: on_topic(HEALTH, topic)}
    producer = AcknowledgedProducer(kafka)
    async with posting(Gateway(contracts, TOKENS, producer, BrokerHealth(kafka, now), now)) as post:
        yield post


@asynccontextmanager
async def posting(gateway: Gateway) -> AsyncIterator[Post]:
    """Run this gateway on a free port."""
    runner = web.AppRunner(gateway.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

        async def post(
            body: bytes | None, token: str = TOKENS["ecology"], path: str = PATH
        ) -> tuple[int, Any, Any]:
            method = "POST" if body is not None else "GET"
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.request(
                method, path, data=body and io.BytesIO(body), headers=headers
            ) as response:
                return response.status, await response.json(), response.headers

        try:
            yield post
        finally:
            await runner.cleanup()


def events(kafka: str, topic: str) -> list[bytes]:
    found = (raw for part in read(kafka, topic).values() for _, raw in part)
    return sorted(raw for raw in found if decode_tick(raw) is None)


def test_a_batch_is_accepted_when_it_is_stored(kafka: str, topic: str) -> None:
    async def scene() -> None:
        async with serving(kafka, topic) as post:
            body = b"[" + air("1") + b"," + air("2", station="1233A") + b"]"
            assert (await post(body))[:2] == (202, {"accepted": 2})
            assert events(kafka, topic) == [air("1"), air("2", station="1233A")], "stored when it is answered"
            assert (await post(air("3") + b"\n" + air("4")))[:2] == (202, {"accepted": 2})
            assert (await post(air("5")))[:2] == (202, {"accepted": 1})
            assert (await post(b"[]"))[:2] == (202, {"accepted": 0})

    asyncio.run(scene())
    assert len(events(kafka, topic)) == 5


def test_one_bad_event_refuses_the_batch_and_nothing_is_stored(kafka: str, topic: str) -> None:
    async def scene() -> None:
        async with serving(kafka, topic) as post:
            status, answer, _ = await post(air("1") + b"\n" + air("2", pm25=0) + b"\noops")
            assert status == 422
            assert answer["error"] == "2 of 3 events break the contract; nothing is stored"
            assert [
                (item["index"], item["id"], item["field"], item["rule"]) for item in answer["rejected"]
            ] == [
                (1, "2", "pm25", "missing"),
                (2, "", "event", "json"),
            ]

    asyncio.run(scene())
    assert events(kafka, topic) == []


def test_who_may_post_what(kafka: str, topic: str) -> None:
    async def scene() -> None:
        async with serving(kafka, topic) as post:
            for token in ("", "wrong", "密", TOKENS["health"] + "x"):
                status, answer, headers = await post(air("1"), token)
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
                assert "token" in answer["error"]
            assert (await post(air("1"), TOKENS["health"]))[0] == 403
            status, answer, _ = await post(air("1"), path="/v1/feeds/x.y/events")
            assert (status, answer["feeds"]) == (404, [AIR.feed, HEALTH.feed])
            assert (await post(air("1"), path="/nowhere"))[:2] == (404, {"error": "Not Found"})
            assert (await post(None))[0] == 405

    asyncio.run(scene())
    assert events(kafka, topic) == []


def test_limits_and_bodies_that_are_none(kafka: str, topic: str) -> None:
    async def scene() -> None:
        async with serving(kafka, topic) as post:
            assert (await post(b"x" * (MAX_BODY + 1)))[0] == 413
            assert (await post(b"[" + b"1," * MAX_ITEMS + b"1]"))[0] == 413
            assert (await post(b""))[0] == 400
            assert (await post(b"[oops"))[0] == 400

    asyncio.run(scene())
    assert events(kafka, topic) == []


def test_a_broker_away_is_503_and_told_by_healthz(topic: str) -> None:
    async def scene() -> None:
        async with serving(NOBODY, topic) as post:
            status, answer, headers = await post(air("1"))
            assert (status, headers["Retry-After"]) == (503, "5")
            assert "post the same again" in answer["error"]
            status, health, _ = await post(None, path="/healthz")
            assert (status, health["status"], health["broker"]["failures"]) == (503, "degraded", 1)
            assert health["broker"]["failing_since"] == NOON.isoformat()
            assert health["broker"]["error"]
            for token in ("", "nobody's"):
                assert (await post(None, token, "/healthz"))[:2] == (503, UNWELL)

    asyncio.run(scene())


def test_a_gateway_whose_broker_answers_is_well_and_ticks_nothing(kafka: str, topic: str) -> None:
    async def scene() -> Any:
        async with serving(kafka, topic) as post:
            for _ in range(100):
                status, health, _ = await post(None, path="/healthz")
                if status == 200:
                    return health
                await asyncio.sleep(0.1)

    health = asyncio.run(scene())
    assert health == {
        "status": "ok",
        "broker": {"last": NOON.isoformat(), "failing_since": None, "failures": 0, "error": ""},
        "declarations": "",
    }
    assert not any(read(kafka, topic).values()), "time is the ticker's, however many gateways there are"


def test_one_log_line_a_request_without_bodies_and_tokens(
    kafka: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with serving(kafka, topic) as post:
            await post(air("secret-id"))
            await post(air("secret-id", pm25=-5))

    with caplog.at_level(logging.INFO, "streams.intake"):
        asyncio.run(scene())
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    good, bad = (line for line in lines if line["event"] == "request")
    assert (good["status"], good["feed"], good["department"], good["accepted"]) == (
        202,
        AIR.feed,
        "ecology",
        1,
    )
    assert (bad["status"], bad["error"]) == (422, "1 of 1 events break the contract; nothing is stored")
    assert "secret" not in json.dumps(lines)
    assert "key-of" not in json.dumps(lines)


def test_a_stranger_is_refused_before_his_body_and_no_page_elsewhere_posts(topic: str) -> None:
    async def scene() -> None:
        async with raw(topic) as (host, port):
            head = f"POST {PATH} HTTP/1.1\r\nHost: {{}}\r\nContent-Length: 8000000\r\n{{}}\r\n"
            own = f"127.0.0.1:{port}"
            bearer = f"Authorization: Bearer {TOKENS['ecology']}\r\n"
            for text, status in (
                (head.format(own, ""), 401),
                (head.format(own, "Authorization: Bearer x\r\n"), 401),
                (head.format("rebound.example", bearer), 421),
                (head.format(own, bearer + "Origin: http://other.example\r\n"), 403),
            ):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(text.encode())
                async with asyncio.timeout(20):
                    assert int((await reader.readline()).split()[1]) == status
                writer.close()

    asyncio.run(scene())


def test_a_department_has_so_many_batches_in_memory_and_no_more(topic: str) -> None:
    async def scene() -> None:
        async with raw(topic) as (host, port):
            begun = []
            for number in range(AT_ONCE + WAITING + 1):
                reader, writer = await asyncio.open_connection(host, port)
                head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
                writer.write(f"{head}Authorization: Bearer {TOKENS['ecology']}\r\n\r\n".encode())
                begun.append((reader, writer))
                if number < AT_ONCE + WAITING:
                    await asyncio.sleep(0.01)
            first = [asyncio.create_task(reader.readline()) for reader, _ in begun]
            async with asyncio.timeout(30):
                done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result().split()[1] for task in done] == [b"503"]
            for (_, writer), task in zip(begun, first, strict=True):
                task.cancel()
                writer.close()

    asyncio.run(scene())


def test_other_declarations_are_taken_while_it_runs(kafka: str, topic: str, tmp_path: Path) -> None:
    contracts, key = {AIR.feed: on_topic(AIR, topic)}, "key-of-health"
    path = f"/v1/feeds/{HEALTH.feed}/events"
    settings = Settings(home=tmp_path, department_tokens=f"ecology={TOKENS['ecology']},health={key}")

    async def scene() -> None:
        producer = AcknowledgedProducer(kafka)
        broker = BrokerHealth(kafka, now)
        gateway = Gateway(contracts, {"ecology": TOKENS["ecology"]}, producer, broker, now, stamp="first")
        async with posting(gateway) as post:
            assert (await post(b"[]", path=path))[0] == 404
            assert (await post(b"[]", key, path))[0] == 401
            crowded = gateway._served.places["ecology"]
            gateway.take(contracts | {HEALTH.feed: on_topic(HEALTH, topic)}, settings.tokens(), "second")
            assert (await post(b"[]", key, path))[:2] == (202, {"accepted": 0})
            assert (await post(air("1")))[0] == 202
            assert gateway._served.places["ecology"] is crowded, "who waits for his place has it still"
            assert (await post(None, key, "/healthz"))[1]["declarations"] == "second"
            take(tmp_path, FILES)
            (tmp_path / FOLDER / "feeds/health/infectious-disease.yaml").write_text("{")
            await asyncio.to_thread(take_again, gateway, lambda: settings)
            assert (await post(b"[]", key, path))[0] == 202, "where they are wrong, those of before go on"
            assert (await post(None, key, "/healthz"))[1]["declarations"] == "second"
            take(tmp_path, FILES)
            (tmp_path / FOLDER / "feeds/health/infectious-disease.yaml").unlink()
            await asyncio.to_thread(take_again, gateway, lambda: settings)
            assert (await post(b"[]", key, path))[0] == 404
            assert (await post(None, key, "/healthz"))[1]["declarations"] == stamp_of(settings)
            assert read_stamp(tmp_path, "gateway") == stamp_of(settings), "which `apply` waits for"

    asyncio.run(scene())


def test_an_office_sends_of_its_own_regions_until_its_rights_are_taken(kafka: str, topic: str) -> None:
    text = """departments:
  - {department: ecology, name: {zh: 生态, en: E}, regions: ["330000"], contact: {stewards: [a]}}
  - {department: office, name: {zh: 分局, en: O}, regions: ["330100"], part_of: ecology, contact: {stewards: [b]}}
"""
    offices = parse_departments(text, Path("departments.yaml"))
    contracts, key = {AIR.feed: on_topic(AIR, topic)}, "key-of-the-office"
    tokens = TOKENS | {"office": key}

    async def scene() -> None:
        producer = AcknowledgedProducer(kafka)
        gateway = Gateway(contracts, tokens, producer, BrokerHealth(kafka, now), now, rights=Rights(offices))
        async with posting(gateway) as post:
            assert (await post(air("1", region="330110"), key))[0] == 202
            status, answer, _ = await post(air("2", region="330203"), key)
            assert status == 422 and answer["rejected"] == [
                {"index": 0, "id": "2", "field": "region", "rule": "scope", "value": "330203"}
            ]
            assert (await post(air("2", region="330203")))[0] == 202, "the department itself"
            gateway.take(contracts, tokens, "second", Rights())
            status, answer, _ = await post(air("3", region="330110"), key)
            assert (
                status == 403 and answer["error"] == "the feed belongs to the department ecology, not office"
            )

    asyncio.run(scene())


@asynccontextmanager
async def raw(topic: str) -> AsyncIterator[tuple[str, int]]:
    """A gateway whose broker is away, to be spoken to byte by byte."""
    producer = AcknowledgedProducer(NOBODY)
    gateway = Gateway({AIR.feed: on_topic(AIR, topic)}, TOKENS, producer, BrokerHealth(NOBODY, now), now)
    runner = web.AppRunner(gateway.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "127.0.0.1", runner.addresses[0][1]
    finally:
        await runner.cleanup()
