"""A head that never ends, and one that never comes, end their connection; whoever speaks properly is served."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.types import Receive, Scope, Send

from streams.patient_http import HEAD_BYTES, PatientProtocol


class Hurried(PatientProtocol):
    """Waits half a second only."""

    seconds = 0.5


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"%6d" % length})


async def spoken(*parts: bytes, protocol: type[PatientProtocol] = PatientProtocol) -> bytes:
    """What a server answers to these bytes until it closes the connection."""
    config = uvicorn.Config(echo, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=1)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            said = b""
            try:
                said = await reader.read()
            except ConnectionResetError:
                said = said or b"reset"
        writer.close()
        return said
    finally:
        server.close()


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
    for beginning in (b"", b"GET / HT", HEAD, HEAD + b"\r\n" + b"x" * 200_000 + b"GET / HTTP/1.1\r\nX: "):
        said = asyncio.run(spoken(beginning, protocol=Hurried))
        assert said.count(b"200 OK") == (1 if len(beginning) > 200_000 else 0)
