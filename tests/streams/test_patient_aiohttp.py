"""An aiohttp server ends what only holds a connection, and who comes is served."""

from __future__ import annotations

import asyncio
import gzip

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
    async def drip(beginning: bytes, seconds: float, answered: bool = False) -> bytes:
        async with serving(application(), 0, shutdown=1, head_seconds=seconds) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            answer = await reader.readuntil(b"hello") if answered else b""
            said = asyncio.create_task(heard(reader))
            while not said.done():
                writer.write(b"X" if beginning else b"")
                await asyncio.sleep(0.05)
            writer.close()
            return answer + await said

    for beginning in (b"", b"GET / HT", ASK[:-2] + b"X-"):
        assert b"200 OK" not in asyncio.run(drip(beginning, 0.5))
    assert asyncio.run(drip(ASK + b"GET /", 5.0, answered=True)).count(b"200 OK") == 1


async def crowded(beginning: bytes, answer: bytes = b"") -> tuple[bytes, list[bytes]]:
    """What a request is answered after twelve connections like this one; what the first of them hear then."""
    async with serving(application(), 0, shutdown=1, head_seconds=600, most=3) as port:
        slow = []
        for _ in range(12):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            if answer:
                async with asyncio.timeout(60):
                    await reader.readuntil(answer)
            slow.append((reader, writer))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        said = await heard(reader)
        ended = [await heard(reader) for reader, _ in slow[:9]]
        for _, each in [*slow, (reader, writer)]:
            each.close()
        return said, ended


def test_who_asks_nothing_makes_room_for_who_comes() -> None:
    unread = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx"
    for beginning, answer in ((b"", b""), (b"GET / HT", b""), (ASK, b"hello"), (unread, b"HTTP/1.1 405")):
        said, ended = asyncio.run(crowded(beginning, answer))
        assert b"hello" in said and all(not each.startswith(b"HTTP") for each in ended)


def test_who_is_being_answered_or_sends_what_is_read_makes_no_room() -> None:
    async def busy() -> tuple[bytes, list[bytes]]:
        free, begun = asyncio.Event(), 0

        async def later(request: web.Request) -> web.Response:
            nonlocal begun
            begun += 1
            body = await request.read()
            await free.wait()
            return web.Response(text=f"{len(body)} bytes")

        app = web.Application()
        app.router.add_route("*", "/", later)
        post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nx"
        async with serving(app, 0, shutdown=1, head_seconds=600, most=3) as port:
            held = []
            for count in range(1, 4):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(post)
                held.append((reader, writer))
                async with asyncio.timeout(60):
                    while begun < count:
                        await asyncio.sleep(0.001)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            refused = await heard(reader)
            free.set()
            for _, each in held:
                each.write(b"x")
            said = [await heard(reader) for reader, _ in held]
            for _, each in [*held, (reader, writer)]:
                each.close()
            return refused, said

    refused, said = asyncio.run(busy())
    assert refused in (b"", b"reset") and all(b"2 bytes" in each for each in said)


def test_who_does_not_read_his_answer_is_left() -> None:
    async def deaf() -> None:
        left = asyncio.Event()

        async def much(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            try:
                while True:
                    await answer.write(b"x" * 1_000_000)
            except ConnectionError:
                left.set()
                raise

        app = web.Application()
        app.router.add_get("/", much)
        async with serving(app, 0, shutdown=1, reader_seconds=0.5) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(ASK)
            async with asyncio.timeout(60):
                await left.wait()
            writer.close()

    asyncio.run(deaf())


def test_who_reads_slowly_but_reads_gets_it_all() -> None:
    async def slow() -> int:
        async def much(_: web.Request) -> web.Response:
            return web.Response(body=b"x" * 30_000_000)

        app = web.Application()
        app.router.add_get("/", much)
        async with serving(app, 0, shutdown=1) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await asyncio.sleep(0.2)
            said = await heard(reader)
            writer.close()
            return len(said)

    assert asyncio.run(slow()) > 30_000_000


def test_what_the_application_asks_of_its_connections_holds() -> None:
    packed = gzip.compress(b"x" * 1000)

    async def sent() -> bytes:
        async def length(request: web.Request) -> web.Response:
            return web.Response(text=f"{len(await request.read())} bytes")

        app = web.Application(handler_args={"auto_decompress": False})
        app.router.add_post("/", length)
        async with serving(app, 0, shutdown=1) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(packed)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\nContent-Encoding: gzip\r\n\r\n" + packed)
            said = await heard(reader)
            writer.close()
            return said

    assert f"{len(packed)} bytes".encode() in asyncio.run(sent())
