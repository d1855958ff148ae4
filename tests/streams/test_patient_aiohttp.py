"""An aiohttp server ends what only holds a connection, and takes only so many."""

from __future__ import annotations

import asyncio

from aiohttp import web

from streams.patient_aiohttp import serving

ASK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def application() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the connection ends."""
    async with asyncio.timeout(60):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b"reset"


def test_heads_that_do_not_come_or_do_not_end_close_the_connection() -> None:
    async def drip(beginning: bytes) -> bytes:
        async with serving(application(), 0, shutdown=1, head_seconds=0.5) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            said = asyncio.create_task(heard(reader))
            while not said.done():
                writer.write(b"X" if beginning else b"")
                await asyncio.sleep(0.05)
            writer.close()
            return await said

    for beginning, answers in ((b"", 0), (b"GET / HT", 0), (ASK[:-2] + b"X-", 0), (ASK + b"GET /", 1)):
        assert asyncio.run(drip(beginning)).count(b"200 OK") == answers


def test_beyond_so_many_connections_another_is_closed_until_there_is_room() -> None:
    async def crowd() -> list[bytes]:
        async with serving(application(), 0, shutdown=1, most=3) as port:
            open_ones = []
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(ASK)
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
                open_ones.append(writer)
            reader, refused = await asyncio.open_connection("127.0.0.1", port)
            first = await heard(reader)
            open_ones.pop().close()
            said = b""
            async with asyncio.timeout(60):
                while b"200" not in said:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                    said = await heard(reader)
                    writer.close()
            for each in (refused, *open_ones):
                each.close()
            return [first, said]

    first, then = asyncio.run(crowd())
    assert first in (b"", b"reset") and b"hello" in then
