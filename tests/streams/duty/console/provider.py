"""An OpenID provider on loopback: discovery, authorize with PKCE, token, JWKS. It can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from streams.console.service import listen
from tests.streams.duty.console.house import PATIENCE, until

CLIENT, SECRET = "liaowang", "a secret & more"
Claims = dict[str, Any]


@dataclass
class OpenId:
    """The provider: who is signed in there, and how its answers are bent."""

    issuer: str = ""
    login: str = "zhang"
    subject: str = "subject-1"
    bend: Callable[[Claims], Claims] = lambda claims: claims
    forge: str = ""
    calls_itself: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "one"}))
    published: RSAKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    redirect: str = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/jwks", self.jwks),
            ]
        )

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4)})

    def discovery(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.calls_itself or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        assert query["client_id"] == CLIENT and query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256" and len(query["state"]) >= 24
        assert "openid" in query["scope"].split() and query["redirect_uri"] == self.redirect
        code = secrets.token_urlsafe()
        self.codes[code] = query
        back = urlencode({"code": code, "state": query["state"], "iss": self.issuer})
        return RedirectResponse(f"{query['redirect_uri']}?{back}", 302)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        right = asked is not None and asked["code_challenge"] == challenge
        if basic != f"{CLIENT}:{quote_plus(SECRET)}" or not right or form["redirect_uri"] != self.redirect:
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert asked is not None
        return JSONResponse(
            {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(asked["nonce"])}
        )

    def sign(self, nonce: str) -> str:
        now = int(time.time())
        claims: Claims = {"iss": self.issuer, "aud": CLIENT, "sub": self.subject, "nonce": nonce}
        claims |= {"exp": now + 300, "iat": now, "preferred_username": self.login}
        claims = self.bend(claims)
        if self.forge == "none":
            deps = ('{"alg":"none"}', str(claims).replace("'", '"'))
            return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in deps) + "."
        if self.forge == "symmetric":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
        key = RSAKey.generate_key(2048, parameters={"kid": "one"}) if self.forge == "key" else self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def jwks(self, _: Request) -> Response:
        return JSONResponse(KeySet([self.published or self.key]).as_dict(private=False))


@contextmanager
def provider_open(port: int, redirect: str) -> Iterator[OpenId]:
    """The provider behind a real server."""
    provider = OpenId(issuer=f"http://127.0.0.1:{port}", redirect=redirect)
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_config=None, lifespan="off"))
    with listen(port) as place:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield provider
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
