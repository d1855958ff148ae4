"""Receivers that speak each service's format and refuse as it does, on loopback."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

TOKEN, SECRET, KEY = "token-of-the-robot", "SEC-of-the-robot", "key-of-the-robot"
APP_KEY, APP_SECRET, AGENT, TENANT = "app-key", "app-secret", "4711", "196729"
PEOPLE = {"13900000001": "user-1", "13900000002": "user-2"}


@dataclass
class Services:
    """All of them in one server; `got` holds what each accepted, `refused` the code of each refusal."""

    got: dict[str, list[Any]] = field(default_factory=dict)
    refused: list[Any] = field(default_factory=list)
    limit: int = 20
    per: float = 60.0
    times: list[float] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    in_pieces: bool = False

    def app(self) -> web.Application:
        """The application with all services' routes."""
        app = web.Application()
        app.add_routes(
            [
                web.post("/robot/send", self._dingtalk_robot),
                web.get("/gettoken", self._dingtalk_token),
                web.post("/topapi/v2/user/getbymobile", self._dingtalk_person),
                web.post("/topapi/message/corpconversation/asyncsend_v2", self._dingtalk_work),
                web.get("/gettoken.json", self._zhejiang_token),
                web.post("/mozi/employee/get_by_mobile", self._zhejiang_person),
                web.post("/message/workNotification", self._zhejiang_work),
                web.post("/cgi-bin/webhook/send", self._wecom),
                web.post("/sms", self._sms),
                web.post("/hook", self._hook),
            ]
        )
        return app

    def _take(self, service: str, what: Any) -> None:
        self.got.setdefault(service, []).append(what)

    def _no(self, refusal: Any, **body: Any) -> web.Response:
        self.refused.append(refusal)
        return web.json_response(body)

    def _often(self) -> bool:
        now = time.time()
        self.times = [at for at in self.times if at > now - self.per]
        if len(self.times) >= self.limit:
            return True
        self.times.append(now)
        return False

    async def _dingtalk_robot(self, request: web.Request) -> web.Response:
        query, body = request.query, await request.json()
        if query.get("access_token") != TOKEN:
            return self._no(300001, errcode=300001, errmsg="token is not exist")
        stamp = query.get("timestamp", "")
        wanted = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), "sha256").digest()
        fresh = stamp.isdigit() and abs(time.time() - int(stamp) / 1000) < 3600
        if not fresh or query.get("sign") != base64.b64encode(wanted).decode():
            return self._no(310000, errcode=310000, errmsg="sign not match")
        if len(json.dumps(body, ensure_ascii=False).encode()) > 20_000:
            return self._no(460101, errcode=460101, errmsg="message too long")
        if self._often():
            return self._no(130101, errcode=130101, errmsg="send too fast, exceed 20 times per minute")
        self._take("dingtalk-robot", body)
        if self.in_pieces:
            return await self._slowly(request, '{"errcode":0,', '"errmsg":"ok"}')
        return web.json_response({"errcode": 0, "errmsg": "ok"})

    async def _slowly(self, request: web.Request, *pieces: str) -> Any:
        """An answer whose parts come one after the other."""
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece.encode())
            await asyncio.sleep(0.05)
        return response

    async def _dingtalk_token(self, request: web.Request) -> web.Response:
        if (request.query.get("appkey"), request.query.get("appsecret")) != (APP_KEY, APP_SECRET):
            return self._no(40089, errcode=40089, errmsg="invalid appkey or appsecret")
        self.tokens.append(f"access-{len(self.tokens)}")
        return web.json_response(
            {"errcode": 0, "errmsg": "ok", "access_token": self.tokens[-1], "expires_in": 7200}
        )

    def _current(self, request: web.Request) -> bool:
        return bool(self.tokens) and request.query.get("access_token") == self.tokens[-1]

    async def _dingtalk_person(self, request: web.Request) -> web.Response:
        if not self._current(request):
            return self._no(40014, errcode=40014, errmsg="invalid access_token")
        user = PEOPLE.get((await request.json()).get("mobile"))
        if user is None:
            return self._no(60121, errcode=60121, errmsg="no such user")
        return web.json_response({"errcode": 0, "errmsg": "ok", "result": {"userid": user}})

    async def _dingtalk_work(self, request: web.Request) -> web.Response:
        if not self._current(request):
            return self._no(40014, errcode=40014, errmsg="invalid access_token")
        body = await request.json()
        if str(body.get("agent_id")) != AGENT or body.get("userid_list") not in PEOPLE.values():
            return self._no(40035, errcode=40035, errmsg="bad parameter")
        if len(json.dumps(body["msg"], ensure_ascii=False).encode()) > 2_048:
            return self._no(33001, errcode=33001, errmsg="message too long")
        self._take("dingtalk-work", body)
        return web.json_response({"errcode": 0, "errmsg": "ok", "task_id": len(self.got["dingtalk-work"])})

    async def _signed(self, request: web.Request) -> dict[str, str] | None:
        body = await request.text()
        pairs = dict(parse_qsl(body if request.method == "POST" else request.query_string))
        said = "\n".join(
            [
                request.method,
                request.headers.get("X-Hmac-Auth-Timestamp", ""),
                request.headers.get("X-Hmac-Auth-Nonce", ""),
                request.path,
                "&".join(f"{name}={pairs[name]}" for name in sorted(pairs)),
            ]
        )
        wanted = base64.b64encode(hmac.new(APP_SECRET.encode(), said.encode(), "sha256").digest()).decode()
        right = request.headers.get("X-Hmac-Auth-Signature") == wanted
        return pairs if right and request.headers.get("apiKey") == APP_KEY else None

    async def _zhejiang_token(self, request: web.Request) -> web.Response:
        if await self._signed(request) is None:
            return self._no("signature", success=False, errorCode="SignatureDoesNotMatch", errorMsg="no")
        self.tokens.append(f"access-{len(self.tokens)}")
        data = {"accessToken": self.tokens[-1], "expiresIn": 7200}
        return web.json_response({"success": True, "content": {"success": True, "data": data}})

    async def _zhejiang_person(self, request: web.Request) -> web.Response:
        pairs = await self._signed(request)
        if pairs is None or pairs.get("tenantId") != TENANT:
            return self._no("signature", success=False, errorCode="SignatureDoesNotMatch", errorMsg="no")
        account = PEOPLE.get(pairs.get("mobile", ""))
        if account is None:
            content = {"success": False, "responseCode": "EMPLOYEE_NOT_FOUND", "responseMessage": "nobody"}
            return self._no("person", success=True, content=content)
        return web.json_response(
            {"success": True, "content": {"success": True, "data": {"accountId": account}}}
        )

    async def _zhejiang_work(self, request: web.Request) -> web.Response:
        pairs = await self._signed(request)
        if pairs is None or pairs.get("receiverIds") not in PEOPLE.values():
            return self._no("signature", success=False, errorCode="SignatureDoesNotMatch", errorMsg="no")
        self._take("zhejiang-work", {**pairs, "msg": json.loads(pairs["msg"])})
        return web.json_response({"success": True, "content": {"success": True, "data": {"msgId": "1"}}})

    async def _wecom(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.query.get("key") != KEY:
            return self._no(93000, errcode=93000, errmsg="invalid webhook url")
        if len(body["markdown"]["content"].encode()) > 4_096:
            return self._no(40058, errcode=40058, errmsg="markdown.content exceed max length 4096")
        if self._often():
            return self._no(45009, errcode=45009, errmsg="api freq out of limit")
        self._take("wecom-robot", body)
        return web.json_response({"errcode": 0, "errmsg": "ok"})

    async def _sms(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        said = f"{form.get('ts')}.{form.get('mobile')}.{form.get('content')}".encode()
        if form.get("sign") != hmac.new(b"sms-secret", said, "sha256").hexdigest():
            return self._no("E02", code="E02", message="signature")
        if self._often():
            return self._no("E10", code="E10", message="flow control")
        self._take("sms", form)
        return web.json_response({"code": "0", "message": "accepted"})

    async def _hook(self, request: web.Request) -> web.Response:
        self._take("hook", (dict(request.headers), await request.read()))
        return web.json_response({})


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[str]:
    """The services behind a real HTTP server; gives its address."""
    runner = web.AppRunner(services.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
