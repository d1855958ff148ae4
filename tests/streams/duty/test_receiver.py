"""The receiver believes signed pushes only, keeps each once and shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from schemas.errors import Misdeclared, Unavailable
from streams.duty.notify.channels.home import NOTICES
from streams.duty.notify.links import make_link
from streams.duty.notify.signature import sign
from streams.duty.systems.receiver import SIGNED, Receiver, Trouble, serving
from streams.duty.systems.store import Store
from streams.http_guard import Guard, basic, hosts_of
from tests.streams.duty.parts import KEY

NOW = 1_800_000_000
PASSWORD = "a password of tests"
GUARD = Guard(hosts_of(), PASSWORD, signed=frozenset(SIGNED))
KNOWN = {"Authorization": basic(PASSWORD)}
Visit = Callable[[aiohttp.ClientSession], Awaitable[None]]


def visit(path: Path, what: Visit, trouble: Trouble | None = None, shown: list[bool] | None = None) -> None:
    """Let a visitor talk to a receiver of its own."""

    async def run() -> None:
        store = Store(path / "receiver.sqlite")
        try:
            told = None if shown is None else (lambda _, new: shown.append(new))
            receiver = Receiver(store, KEY, lambda: float(NOW), GUARD, on_push=told, trouble=trouble)
            async with (
                serving(receiver, 0) as port,
                aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=KNOWN) as session,
            ):
                await what(session)
        finally:
            store.close()

    asyncio.run(run())


async def post(
    session: aiohttp.ClientSession, body: bytes, key: str = "w-1", signed: bytes | None = None, at: int = NOW
) -> int:
    headers = {
        "Idempotency-Key": key,
        "X-Liaowang-Timestamp": str(at),
        "X-Liaowang-Signature": sign(KEY, at, body if signed is None else signed),
    }
    async with session.post("/warnings", data=body, headers=headers) as response:
        await response.read()
        return response.status


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as response:
        return response.status, await response.text()


def test_a_key_is_kept_once_and_its_copies_are_counted(tmp_path: Path) -> None:
    shown: list[bool] = []

    async def visitor(session: aiohttp.ClientSession) -> None:
        for key in ("a", "b", "a", "a"):
            assert await post(session, b'{"level":"red"}', key) == 200
        pushes = json.loads((await get(session, "/pushes"))[1])
        assert [(p["key"], p["copies"], p["push"]) for p in pushes] == [
            ("b", 0, {"level": "red"}),
            ("a", 2, {"level": "red"}),
        ]
        assert json.loads((await get(session, "/healthz"))[1]) == {"status": "ok", "pushes": 2, "copies": 2}
        async with session.get("/healthz", headers={"Authorization": "Basic eDp5"}) as bare:
            assert await bare.json() == {"status": "ok"}

    visit(tmp_path, visitor, shown=shown)
    assert shown == [True, True, False, False]


def test_what_it_has_got_survives_a_new_start(tmp_path: Path) -> None:
    async def first(session: aiohttp.ClientSession) -> None:
        await post(session, b"{}", "a")

    async def second(session: aiohttp.ClientSession) -> None:
        await post(session, b"{}", "a")
        assert json.loads((await get(session, "/healthz"))[1])["copies"] == 1

    visit(tmp_path, first)
    visit(tmp_path, second)


def test_forged_stale_nameless_and_unreadable_pushes_are_refused(tmp_path: Path) -> None:
    async def visitor(session: aiohttp.ClientSession) -> None:
        assert await post(session, b'{"level":"red"}', signed=b'{"level":"blue"}') == 401
        assert await post(session, b"{}", at=NOW - 301) == 401
        assert await post(session, b"{}", key="") == 400
        assert await post(session, b"{}", key="k" * 513) == 400
        assert await post(session, b"no json") == 400
        assert await post(session, b"[]") == 400
        async with session.post("/warnings", data=b"{}") as response:
            assert response.status == 400
        assert await post(session, b"[" * 70_000) == 413
        assert json.loads((await get(session, "/pushes"))[1]) == []

    visit(tmp_path, visitor)


def test_the_list_is_limited_and_a_wrong_limit_is_said(tmp_path: Path) -> None:
    async def visitor(session: aiohttp.ClientSession) -> None:
        for number in range(5):
            await post(session, b"{}", str(number))
        assert [p["key"] for p in json.loads((await get(session, "/pushes?limit=2"))[1])] == ["4", "3"]
        assert (await get(session, "/pushes?limit=many"))[0] == 400
        assert (await get(session, "/pushes?limit=-1"))[0] == 400

    visit(tmp_path, visitor)


def test_the_page_shows_pushes_and_runs_nothing_of_theirs(tmp_path: Path) -> None:
    async def visitor(session: aiohttp.ClientSession) -> None:
        await post(
            session, json.dumps({"level": "red", "title": "<script>alert(1)</script>", "value": 3}).encode()
        )
        await post(session, json.dumps({"level": ["x"], "title": None}).encode(), "odd")
        status, page = await get(session, "/")
        assert status == 200 and "&lt;script&gt;" in page and "<script>" not in page

    visit(tmp_path, visitor)


def test_it_fails_as_it_is_told_to(tmp_path: Path) -> None:
    async def visitor(session: aiohttp.ClientSession) -> None:
        assert [await post(session, b"{}", "a") for _ in range(3)] == [500, 500, 200]

    visit(tmp_path, visitor, Trouble(fail_first=2))


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    async def run() -> None:
        store = Store(tmp_path / "receiver.sqlite")
        try:
            receiver = Receiver(store, KEY, lambda: 0.0)
            async with serving(receiver, 0) as port:
                with pytest.raises(Unavailable, match=f"port {port} is taken"):
                    async with serving(receiver, port):
                        pass
        finally:
            store.close()

    asyncio.run(run())


def test_without_a_key_nothing_can_be_verified(tmp_path: Path) -> None:
    store = Store(tmp_path / "receiver.sqlite")
    with pytest.raises(Misdeclared, match="WEBHOOK_KEY"):
        Receiver(store, "", lambda: 0.0)
    store.close()


def test_nobody_reads_without_the_password_and_links_are_blank(tmp_path: Path) -> None:
    link = make_link("http://127.0.0.1:18060", "key", "17", "zhang", NOW)

    async def visitor(session: aiohttp.ClientSession) -> None:
        assert await post(session, json.dumps({"text": f"see {link}", "level": "red"}).encode()) == 200
        for path in ("/pushes", NOTICES, "/"):
            async with session.get(path, headers={"Authorization": ""}) as response:
                assert response.status == 401 and link not in await response.text()
            said = (await get(session, path))[1]
            assert link.rpartition("/")[2] not in said
        assert (
            "http://127.0.0.1:18060/a/\u2026"
            in json.loads((await get(session, "/pushes"))[1])[0]["push"]["text"]
        )
        async with session.post("/pushes", headers={"Authorization": ""}) as response:
            assert response.status == 401

    visit(tmp_path, visitor)


def test_a_page_elsewhere_neither_reads_nor_posts(tmp_path: Path) -> None:
    async def visitor(session: aiohttp.ClientSession) -> None:
        for headers, status in (
            ({"Origin": "http://other.example"}, 403),
            ({"Host": "rebound.example"}, 421),
        ):
            async with session.get("/pushes", headers=headers) as response:
                assert response.status == status
            async with session.post("/warnings", data=b"{}", headers=headers) as response:
                assert response.status == status

    visit(tmp_path, visitor)
