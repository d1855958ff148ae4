"""Broken requests at the gateway, over real HTTP and the real broker: 202 or a refusal, never a fault."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import aiohttp
import pytest
from aiohttp import web

from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.broker_health import BrokerHealth
from streams.intake.gateway import MAX_BODY, Gateway
from tests.fuzz.broken import TOKENS
from tests.streams.intake.feeds import AIR, NOON, air, on_topic

pytestmark = pytest.mark.stack
PATH = f"/v1/feeds/{AIR.feed}/events"
TOKEN = {"Authorization": "Bearer key"}
GOOD = air("1")
UNREADABLE = [
    GOOD.replace(b'"station"', b'"more":' + text + b',"station"')
    for text in (b'"\xff"', b"1e999", b"9" * 5000, b'{"\xff":1}', b"[" * 5000 + b"]" * 5000)
]


def now() -> datetime:
    return NOON


@dataclass
class Door:
    """A gateway on a free port, and one loop to talk to it."""

    loop: asyncio.AbstractEventLoop
    port: int

    def post(self, body: bytes, headers: dict[str, str], path: str = PATH, method: str = "POST") -> int:
        """Send one request; its status. A refusal is JSON with an error; of what is no HTTP, plain text."""

        async def ask() -> int:
            base = f"http://127.0.0.1:{self.port}"
            async with (
                aiohttp.ClientSession(base, auto_decompress=False) as session,
                session.request(method, path, data=body, headers=TOKEN | headers) as response,
            ):
                if response.status == 400 and response.content_type == "text/plain":
                    assert "Traceback" not in await response.text()
                elif method != "HEAD":
                    answer = await response.json()
                    assert ("error" in answer) == (response.status != 202)
                return response.status

        return self.loop.run_until_complete(ask())

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are and read what comes until the connection ends."""

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request)
            writer.write_eof()
            found = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return found

        return self.loop.run_until_complete(ask())


@pytest.fixture
def door(kafka: str, topic: str) -> Iterator[Door]:
    contracts = {AIR.feed: on_topic(AIR, topic)}
    producer = AcknowledgedProducer(kafka)
    gateway = Gateway(contracts, {"ecology": "key"}, producer, BrokerHealth(kafka, now), now)
    application = gateway.application()
    with asyncio.Runner() as runner:
        site = web.AppRunner(application, access_log=None)
        runner.run(site.setup())
        runner.run(web.TCPSite(site, "127.0.0.1", 0).start())
        yield Door(runner.get_loop(), site.addresses[0][1])
        runner.run(site.cleanup())


@pytest.mark.parametrize("body", UNREADABLE, ids=["bytes", "huge", "digits", "key", "deep"])
def test_a_field_the_contract_does_not_know_is_no_fault(door: Door, body: bytes) -> None:
    assert door.post(body, {}) in (202, 422)


ENCODED: Sequence[tuple[str, bytes, int]] = [
    ("gzip", gzip.compress(GOOD), 202),
    ("GZIP", gzip.compress(GOOD[:50]) + gzip.compress(GOOD[50:]), 202),
    ("deflate", zlib.compress(GOOD), 202),
    ("identity", GOOD, 202),
    ("gzip", GOOD, 400),
    ("gzip", gzip.compress(GOOD)[:-9], 400),
    ("gzip", gzip.compress(GOOD) + b"more", 400),
    ("gzip", b"", 400),
    ("deflate", b"\xff\xff", 400),
    ("br", GOOD, 415),
    ("zstd", GOOD, 415),
    ("gzip, gzip", gzip.compress(gzip.compress(GOOD)), 415),
    ("gzip", gzip.compress(b" " * (MAX_BODY + 1)), 413),
]


@pytest.mark.parametrize(("encoding", "body", "status"), ENCODED)
def test_content_encodings(door: Door, encoding: str, body: bytes, status: int) -> None:
    assert door.post(body, {"Content-Encoding": encoding}) == status


def broken(good: bytes, random: Random) -> bytes:
    """Good bytes with a few pieces set in, or in the place of others."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(good))
        good = good[:at] + random.choice(TOKENS) + good[at + random.choice((0, 1, 5, 50)) :]
    return good


def test_broken_bodies_paths_and_methods(door: Door) -> None:
    random = Random(11)  # not hypothesis: the producer's own thread takes random numbers meanwhile
    for _ in range(80):
        assert door.post(broken(b"[" + GOOD + b"," + air("2") + b"]", random), {}) < 500
    for path in ODD_PATHS:
        assert 400 <= door.post(GOOD, {}, path) < 500
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"):
        assert 400 <= door.post(GOOD, {}, PATH, method) < 500
    for content in ("text/plain; charset=nonsense", ";;;", ""):
        assert door.post(GOOD, {"Content-Type": content}) == 202


ODD_PATHS = (
    *("/", "/v1/feeds/%ff%00/events", "/v1/feeds/..%2f..%2fx/events", "/v1/feeds//events"),
    *("/v1/" + "a" * 4000, "/v1/feeds/%F0%9F%8C%8D/events", PATH + "/", PATH.upper()),
)
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n".encode()
RAW = [
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    HEAD + b"Content-Length: -1\r\n\r\n",
    HEAD + b"Content-Length: 99\r\n\r\nshort",
    HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    HEAD + b"Authorization: Bearer \xff\xfe\r\n\r\n",
    HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET \x00 HTTP/1.1\r\n\r\n",
    b"\xff\xfe\r\n\r\n",
    b"POST http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("request_", RAW, ids=range(len(RAW)))
def test_requests_that_are_none(door: Door, request_: bytes) -> None:
    answer = door.raw(request_)
    assert answer == b"" or 400 <= int(answer.split(b" ", 2)[1]) < 500
    assert door.post(GOOD, {}) == 202, "it goes on"
