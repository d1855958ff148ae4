"""What never ends, and what never comes, ends its connection; whoever speaks properly is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.patient_http import HEAD_BYTES, SPARE, PatientProtocol


class Hurried(PatientProtocol):
    """Waits half a second only: for what is not to be answered."""

    seconds, silent_seconds = 0.5, 0.5


class HurriedThen(PatientProtocol):
    """Waits half a second only, once it has answered: a slow machine does not lose the answer."""

    def on_response_complete(self) -> None:
        self.seconds = 0.5
        super().on_response_complete()


class Total(PatientProtocol):
    """A body may rest for long, and has a second in all."""

    body_seconds = 1.0


class Few(PatientProtocol):
    """Takes four connections, and waits longer for each than a test does."""

    most = 4
    seconds, silent_seconds, body_seconds = 600.0, 600.0, 600.0


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"%6d" % length})


@asynccontextmanager
async def serving(protocol: type[PatientProtocol], app: ASGIApp = echo) -> AsyncIterator[tuple[str, int]]:
    """Where an application answers by this protocol."""
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=1)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


async def spoken(*parts: bytes, protocol: type[PatientProtocol] = PatientProtocol) -> bytes:
    """What a server answers to these bytes until it closes the connection."""
    async with serving(protocol) as place:
        reader, writer = await asyncio.open_connection(*place)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        said = await heard(reader)
        writer.close()
        return said


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the connection ends."""
    async with asyncio.timeout(60):
        try:
            return await reader.read() or b""
        except ConnectionResetError:
            return b"reset"


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n"


def test_one_request_after_another_is_served_however_long_its_body() -> None:
    said = asyncio.run(
        spoken(HEAD + b"\r\n" + b"x" * 100_000, b"x" * 100_000 + HEAD + b"\r\n", b"x" * 200_000)
    )
    assert said.count(b"200 OK") == 2 and said.count(b"200000") == 2


def test_a_head_that_does_not_end_is_431() -> None:
    for flood in (
        b"X-A: b\r\n" * HEAD_BYTES,
        b"X-A: " + b"b" * 3 * HEAD_BYTES,
        b"GET /" + b"a" * 3 * HEAD_BYTES,
    ):
        said = asyncio.run(spoken(b"" if flood.startswith(b"GET") else HEAD, flood))
        assert said.startswith(b"HTTP/1.1 431") or said == b"reset"


def test_a_head_that_does_not_come_ends_the_connection() -> None:
    for beginning in (b"", b"GET / HT", HEAD):
        assert b"200 OK" not in asyncio.run(spoken(beginning, protocol=Hurried))


def test_the_next_head_that_does_not_come_ends_the_connection_after_the_answer() -> None:
    async def twice() -> bytes:
        async with serving(HurriedThen) as place:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(HEAD + b"\r\n" + b"x" * 200_000)
            answer = await reader.readuntil(b"200000")
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            rest = await heard(reader)
            writer.close()
            return answer + rest

    assert asyncio.run(twice()).count(b"200 OK") == 1


CHUNKED = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_that_does_not_come_on_ends_the_connection() -> None:
    for beginning in (
        HEAD + b"\r\n",
        HEAD + b"\r\n" + b"x" * 1000,
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"0\r\n",
    ):
        assert b"200 OK" not in asyncio.run(spoken(beginning, protocol=Hurried))


def test_a_body_that_comes_byte_by_byte_has_a_time_in_all() -> None:
    async def drip() -> bytes:
        async with serving(Total) as place:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(HEAD + b"\r\n")
            said = asyncio.create_task(heard(reader))
            while not said.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
            writer.close()
            return await said

    assert b"200 OK" not in asyncio.run(drip())


def test_empty_lines_between_requests_do_not_keep_a_connection() -> None:
    async def drip() -> bytes:
        async with serving(HurriedThen) as place:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answer = await reader.readuntil(b"     0")
            said = asyncio.create_task(heard(reader))
            while not said.done():
                writer.write(b"\r\n")
                await asyncio.sleep(0.05)
            writer.close()
            return answer + await said

    assert b"200 OK" in asyncio.run(drip())


def test_trailers_and_what_stands_around_chunks_count_as_a_head_does() -> None:
    trailers = b"0\r\n" + b"X-A: b\r\n" * HEAD_BYTES
    one_trailer = b"0\r\nX-A: " + b"b" * 3 * HEAD_BYTES
    extension = b"1;" + b"e" * 3 * HEAD_BYTES
    for flood in (trailers, one_trailer, extension, b"1;" + b"e" * 100 + b"\r\nx\r\n" + extension):
        said = asyncio.run(spoken(CHUNKED, flood))
        assert said.startswith(b"HTTP/1.1 431") or said == b"reset"


def test_chunks_of_a_byte_each_and_some_trailers_are_taken() -> None:
    crumbs = b"1\r\nx\r\n" * 50_000 + b"0\r\nX-Sum: 1\r\n\r\n"
    said = asyncio.run(spoken(CHUNKED, *(crumbs[at : at + 1000] for at in range(0, len(crumbs), 1000))))
    assert said.count(b"200 OK") == 1 and b" 50000" in said


def test_who_does_not_read_his_answer_is_left() -> None:
    left = asyncio.Event()

    async def much(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while not (await asyncio.sleep(0)) and not left.is_set():
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
                if scope["gone"]():
                    left.set()
        finally:
            left.set()

    class Told(PatientProtocol):
        """Lets the application see whether its reader is gone."""

        reader_seconds = 0.5

        def on_headers_complete(self) -> None:
            self.scope["gone"] = self.transport.is_closing  # type: ignore[typeddict-unknown-key]
            super().on_headers_complete()

    async def deaf() -> None:
        async with serving(Told, much) as place:
            _, writer = await asyncio.open_connection(*place, limit=1)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            async with asyncio.timeout(60):
                await left.wait()
            writer.close()

    asyncio.run(deaf())


async def crowded(beginning: bytes, number: int) -> tuple[bytes, list[bytes]]:
    """What a request is answered after so many connections with this beginning; what the first of them hear."""
    async with serving(Few) as place:
        slow = []
        for _ in range(number):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(beginning)
            slow.append((reader, writer))
        reader, writer = await asyncio.open_connection(*place)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        said = await heard(reader)
        ended = [await heard(reader) for reader, _ in slow[: number - Few.most]]
        for _, each in [*slow, (reader, writer)]:
            each.close()
        return said, ended


def test_what_is_on_its_way_makes_room_for_who_speaks_before_anybody_is_refused() -> None:
    for beginning in (b"", b"GET / HT", HEAD + b"\r\n" + b"x" * 1000, CHUNKED + b"3\r\nabc\r\n"):
        for number in (Few.most + 1, Few.most + SPARE, Few.most + 2 * SPARE):
            said, ended = asyncio.run(crowded(beginning, number))
            assert b"200 OK" in said and set(ended) <= {b"", b"reset"}


def test_heads_make_room_before_bodies() -> None:
    async def mixed() -> tuple[bytes, bytes]:
        async with serving(Few) as place:
            body, writer = await asyncio.open_connection(*place)
            writer.write(HEAD + b"\r\n" + b"x" * 100_000)
            idle = [await asyncio.open_connection(*place) for _ in range(12)]
            gone = await heard(idle[0][0])
            writer.write(b"x" * 100_000)
            said = await body.readuntil(b"200000")
            for _, each in [*idle, (body, writer)]:
                each.close()
            return gone, said

    gone, said = asyncio.run(mixed())
    assert gone in (b"", b"reset") and b"200 OK" in said


def test_where_nothing_only_waits_one_more_is_told_so_and_nobody_is_closed() -> None:
    async def busy() -> tuple[bytes, list[bytes]]:
        free, number, begun = asyncio.Event(), Few.most + SPARE - 1, 0

        async def later(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal begun
            begun += 1
            await free.wait()
            await echo(scope, receive, send)

        async with serving(Few, later) as place:
            ask = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            held = []
            for count in range(1, number + 1):
                reader, writer = await asyncio.open_connection(*place)
                writer.write(ask)
                held.append((reader, writer))
                async with asyncio.timeout(60):
                    while begun < count:
                        await asyncio.sleep(0.001)
            reader, writer = await asyncio.open_connection(*place)
            writer.write(ask)
            refused = await heard(reader)
            free.set()
            said = [await heard(reader) for reader, _ in held]
            for _, each in [*held, (reader, writer)]:
                each.close()
            return refused, said

    refused, said = asyncio.run(busy())
    assert b"503" in refused and all(b"200 OK" in each for each in said)


def test_every_place_of_a_process_is_fewer_than_its_file_handles() -> None:
    assert PatientProtocol.most + 2 * SPARE < 1024 - 100
