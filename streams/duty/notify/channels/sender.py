"""Sending a message by a channel of any kind: the shell around what the channels' modules say.

Never raises for what a service does: the answer says it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from streams.duty.notify.channels import alertmanager, dingtalk, mail, sms, wecom, zhejiang
from streams.duty.notify.channels.config import PERSONAL, Channel
from streams.duty.notify.channels.message import Message
from streams.duty.notify.channels.wire import Request, Response, plain
from streams.duty.notify.signature import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from streams.duty.retry_policy import Answer
from streams.duty.words import header_value

TIMEOUT_SECONDS = 10.0
ANSWER_BYTES = 64 * 1024
TOKEN_SECONDS = 6000.0
"""Access tokens hold for 7,200 seconds; a new one is asked for before."""


@dataclass(frozen=True)
class _Token:
    value: str
    until: float


class Sender:
    """Sends by all channels of a home; to be used as an async context manager. `nonce` makes unique texts."""

    def __init__(
        self,
        secrets: Mapping[str, Mapping[str, str]],
        nonce: Callable[[], str],
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._secrets, self._nonce = secrets, nonce
        self._tokens: dict[str, _Token] = {}
        self._people: dict[tuple[str, str], str] = {}
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, channel: Channel, message: Message, now: float) -> Answer:
        """Send one message; a recipient without the address the channel needs is refused for good."""
        needed = PERSONAL.get(channel.kind)
        if needed and not getattr(message.to, needed):
            return Answer(400, "", f"{message.to.login or 'nobody'} has no {needed}", True)
        secrets, options = self._secrets.get(channel.name, {}), channel.options
        match channel.kind:
            case "email":
                server = _server(options)
                return await asyncio.to_thread(mail.send, server, secrets.get("password", ""), message)
            case "dingtalk-work":
                return await self._dingtalk_work(channel, secrets, message, now)
            case "zhejiang-work":
                return await self._zhejiang_work(channel, secrets, message, now)
            case _:
                request, read = _one(channel, secrets, message, now)
                return await self._answer(request, read)

    async def _dingtalk_work(
        self, channel: Channel, secrets: Mapping[str, str], message: Message, now: float
    ) -> Answer:
        base = channel.options["url"]
        asked = dingtalk.token_request(base, secrets["app_key"], secrets["app_secret"])
        token = await self._token(channel, asked, dingtalk.read, ("access_token",), now)
        if isinstance(token, Answer):
            return token
        user = await self._person(
            channel,
            message.to.phone,
            dingtalk.person_request(base, token, message.to.phone),
            dingtalk.read,
            ("result", "userid"),
        )
        if isinstance(user, Answer):
            return self._forget(channel, user)
        sent = dingtalk.work_request(base, token, channel.options["agent"], user, message)
        return self._forget(channel, await self._answer(sent, dingtalk.read))

    async def _zhejiang_work(
        self, channel: Channel, secrets: Mapping[str, str], message: Message, now: float
    ) -> Answer:
        base, tenant = channel.options["url"], channel.options["tenant"]
        key, secret, phone = secrets["app_key"], secrets["app_secret"], message.to.phone

        def signed(method: str, path: str, parameters: Mapping[str, str]) -> Request:
            return zhejiang.signed(method, f"{base}{path}", parameters, key, secret, now, self._nonce())

        asked = signed("GET", "/gettoken.json", zhejiang.token_parameters(key, secret))
        token = await self._token(channel, asked, zhejiang.read, ("content", "data", "accessToken"), now)
        if isinstance(token, Answer):
            return token
        person = signed(
            "POST", "/mozi/employee/get_by_mobile", zhejiang.person_parameters(token, tenant, phone)
        )
        account = await self._person(channel, phone, person, zhejiang.read, ("content", "data", "accountId"))
        if isinstance(account, Answer):
            return self._forget(channel, account)
        parameters = zhejiang.work_parameters(token, tenant, account, message)
        sent = signed("POST", "/message/workNotification", parameters)
        return self._forget(channel, await self._answer(sent, zhejiang.read))

    async def _token(
        self,
        channel: Channel,
        request: Request,
        read: Callable[[Response], Answer],
        path: tuple[str, ...],
        now: float,
    ) -> str | Answer:
        """The channel's access token, or why there is none."""
        known = self._tokens.get(channel.name)
        if known and now < known.until:
            return known.value
        found = await self._field(request, read, path)
        if isinstance(found, str):
            self._tokens[channel.name] = _Token(found, now + TOKEN_SECONDS)
        return found

    async def _person(
        self,
        channel: Channel,
        phone: str,
        request: Request,
        read: Callable[[Response], Answer],
        path: tuple[str, ...],
    ) -> str | Answer:
        known = self._people.get((channel.name, phone))
        if known:
            return known
        found = await self._field(request, read, path)
        if isinstance(found, str):
            self._people[channel.name, phone] = found
        return found

    def _forget(self, channel: Channel, answer: Answer) -> Answer:
        """After a refusal ask for a new token next time; one that was the old token's fault comes again."""
        if answer.status == 400 and channel.name in self._tokens:
            del self._tokens[channel.name]
            stale = any(code in answer.reason for code in ("40014", "42001", "33012", "token"))
            return replace(answer, status=503) if stale else answer
        return answer

    async def _field(
        self, request: Request, read: Callable[[Response], Answer], path: tuple[str, ...]
    ) -> str | Answer:
        response = await self._exchange(request)
        if isinstance(response, Answer):
            return response
        answer = read(response)
        if answer.status is None or not 200 <= answer.status < 300:
            return answer
        value: Any = response.json()
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return str(value) if value else Answer(503, "", f"the answer has no {'.'.join(path)}", True)

    async def _answer(self, request: Request, read: Callable[[Response], Answer]) -> Answer:
        response = await self._exchange(request)
        return response if isinstance(response, Answer) else read(response)

    async def _exchange(self, request: Request) -> Response | Answer:
        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body or None,
                headers=dict(request.headers),
                allow_redirects=False,
            ) as response:
                body = await _beginning(response.content)
                return Response(response.status, response.headers.get("Retry-After", ""), body)
        except (TimeoutError, aiohttp.ClientError) as error:
            return Answer(None, reason=str(error) or type(error).__name__)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """The body, or as much of it as is looked at; it may come in any number of pieces."""
    body = b""
    while len(body) < ANSWER_BYTES and (piece := await content.read(ANSWER_BYTES - len(body))):
        body += piece
    return body


def _one(
    channel: Channel, secrets: Mapping[str, str], message: Message, now: float
) -> tuple[Request, Callable[[Response], Answer]]:
    """The request of a kind that needs no more than one, and how its answer is read."""
    options, url = channel.options, channel.options["url"]
    match channel.kind:
        case "dingtalk-robot":
            request = dingtalk.robot_request(url, secrets["token"], secrets.get("secret", ""), message, now)
            return request, dingtalk.robot_read
        case "wecom-robot":
            return wecom.request(url, secrets["key"], message), wecom.read
        case "sms":
            gateway = _gateway(options)
            request = sms.request(gateway, secrets.get("secret", ""), message, now)
            return request, lambda response: sms.read(gateway, response)
        case "alertmanager":
            return alertmanager.request(url, message), plain
        case "alertmanager-webhook":
            receiver = options.get("receiver", channel.name)
            return alertmanager.webhook_request(url, receiver, message), plain
        case _:
            return signed_request(url, secrets["key"], message, now), plain


def signed_request(url: str, key: str, message: Message, now: float) -> Request:
    """The message as JSON, signed as all our webhooks are."""
    said = {
        "id": message.key,
        "level": message.level,
        "title": message.title,
        "lines": message.lines,
        "url": message.url,
        "at": message.at.isoformat(),
        "ended": message.ended,
        "runbook": message.runbook,
        "to": message.to.login,
        "labels": dict(message.labels),
    }
    body = msgspec.json.encode(said)
    headers = {
        "Content-Type": "application/json",
        KEY_HEADER: header_value(message.key),
        TIMESTAMP_HEADER: str(int(now)),
        SIGNATURE_HEADER: sign(key, int(now), body),
    }
    return Request("POST", url, headers, body)


def _server(options: Mapping[str, Any]) -> mail.Server:
    return mail.Server(
        options["host"],
        options["port"],
        options["sender"],
        options.get("security", "starttls"),
        options.get("user", ""),
        options.get("authority", ""),
    )


def _gateway(options: Mapping[str, Any]) -> sms.Gateway:
    success = options.get("success", {})
    return sms.Gateway(
        url=options["url"],
        sends=options.get("sends", "form"),
        form=options["form"],
        user=options.get("user", ""),
        code=success.get("code", ""),
        good=success.get("good", ""),
        text=success.get("text", "message"),
        again=frozenset(options.get("again", ())),
        limit=options.get("limit", 210),
        prefix=options.get("prefix", ""),
    )
