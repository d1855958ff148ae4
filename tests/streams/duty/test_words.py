"""Texts where only one line or only ASCII may stand: whatever they are, nothing breaks, none becomes another."""

from __future__ import annotations

import asyncio
import re

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from streams.duty.notify.signature import KEY_HEADER
from streams.duty.systems.outbox import Due
from streams.duty.systems.receiver import KEY_LENGTH
from streams.duty.systems.webhook import Webhook
from streams.duty.words import LONGEST, header_text, header_value, message_atom, one_line

TEXTS = st.text(st.characters(), max_size=80) | st.text(
    st.sampled_from("a%'\n\r\0 \x7f甲=-8FTU"), max_size=40
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rule|subject|2026", "rule|subject|2026"),
        ("a b", "a b"),
        ("a%0Ab", "a%0Ab"),
        ("a\nb", "UTF-8''a%0Ab"),
        ("甲", "UTF-8''%E7%94%B2"),
        (" a", "UTF-8''%20a"),
        ("a\0", "UTF-8''a%00"),
        ("a\x7f", "UTF-8''a%7F"),
        ("UTF-8''a", "UTF-8''UTF-8%27%27a"),
    ],
)
def test_plain_text_stays_and_anything_else_is_encoded(text: str, value: str) -> None:
    assert header_value(text) == value
    assert header_text(value) == text


def test_what_is_too_long_for_a_header_is_a_digest() -> None:
    for text in ("x" * 9000, "甲" * 300):
        assert re.fullmatch(r"sha256=[0-9a-f]{64}", header_value(text))
    assert header_value("x" * LONGEST) == "x" * LONGEST
    assert header_value("sha256=x") == "UTF-8''sha256%3Dx", "it is not taken for a digest"


@given(TEXTS, TEXTS)
def test_different_texts_have_different_values_that_every_server_takes(one: str, other: str) -> None:
    for encode in (header_value, message_atom):
        assert (encode(one) == encode(other)) == (one == other)
        assert encode(one).isascii() and encode(one).isprintable() and len(encode(one)) <= KEY_LENGTH
    whole = not any("\ud800" <= each <= "\udfff" for each in one)
    assert not whole or header_value(one).startswith("sha256=") or header_text(header_value(one)) == one


@given(TEXTS)
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert line == one_line(line) == line.strip()
    assert not re.search(
        r"[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", line
    )
    line.encode()


def test_a_line_says_what_the_text_says() -> None:
    assert one_line("甲\r\nBcc: x@y") == "甲 Bcc: x@y"
    assert one_line("a\0b\x7fc\u202ed\ud800") == "a b c d\N{REPLACEMENT CHARACTER}"


def test_any_id_goes_through_a_real_client_and_server() -> None:
    ids = ["甲", "a\nb", "a\rb", "a\tb", "a\0b", "a\u2028b", "a\ud800b", "a\x7fb", "x" * 9000, "w-1", "ÿ"]
    keys: list[str] = []

    async def take(request: web.Request) -> web.Response:
        keys.append(request.headers[KEY_HEADER])
        return web.Response()

    async def run() -> list[int | None]:
        app = web.Application()
        app.add_routes([web.post("/", take)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with Webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/", "k", 1) as webhook:
                return [(await webhook.post(Due(id, "red", b"{}", 0), 0)).status for id in ids]
        finally:
            await runner.cleanup()

    assert asyncio.run(run()) == [200] * len(ids)
    assert keys == [header_value(id) for id in ids]
