"""Sign-in with an OpenID provider: authorization code with PKCE, the identity token verified. A thin client.

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (S256), RFC 9207 (`iss` in the answer, where given).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from schemas.errors import Misdeclared, Unavailable

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
SCOPE = "openid profile"
SKEW = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class IdentityRefused(Exception):
    """The provider's answer does not prove who somebody is; says why, for the log."""


@dataclass(frozen=True)
class Client:
    """How we are known at the provider; `claim` is the claim that holds the login."""

    issuer: str
    id: str
    secret: str
    redirect: str
    claim: str = "preferred_username"


@dataclass(frozen=True)
class Pending:
    """A sign-in under way; kept by the browser in a signed cookie until the provider sends it back."""

    state: str
    nonce: str
    verifier: str
    next: str

    def as_json(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for."""

    issuer: str
    subject: str
    login: str


class Provider:
    """One provider, asked over HTTP. Unavailable where it does not answer; IdentityRefused where it lies."""

    def __init__(self, client: Client, http: httpx.Client) -> None:
        parts = urlsplit(client.issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise Misdeclared("settings", "LIAOWANG_OIDC_ISSUER", "must be an https address")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._client, self._http = client, http
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None

    def begin(self, next_path: str) -> tuple[str, Pending]:
        """Where to send the browser, and what to remember until it comes back."""
        pending = Pending(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), next_path
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect,
            "scope": SCOPE,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{self._about('authorization_endpoint')}?{urlencode(query)}", pending

    def finish(self, pending: Pending, answer: dict[str, str], now: datetime) -> Identity:
        """The identity behind the provider's answer to this very sign-in."""
        if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise IdentityRefused("the state is not ours")
        if answer.get("iss", self._client.issuer) != self._client.issuer:
            raise IdentityRefused("the answer is another issuer's")
        if "code" not in answer:
            raise IdentityRefused(f"no code: {answer.get('error', '')[:100]}")
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": self._client.redirect,
            "code_verifier": pending.verifier,
        }
        given = self._ask("POST", self._about("token_endpoint"), data=form, auth=self._basic())
        return self._identity(str(given.get("id_token", "")), pending.nonce, now)

    def _basic(self) -> tuple[str, str]:
        """Our id and secret for HTTP Basic, each form-encoded first (RFC 6749, 2.3.1)."""
        return quote_plus(self._client.id), quote_plus(self._client.secret)

    def _identity(self, token: str, nonce: str, now: datetime) -> Identity:
        claims = self._claims(token)
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        moment = now.timestamp()
        checks = {
            "iss": claims.get("iss") == self._client.issuer,
            "aud": self._client.id in audiences,
            "azp": claims.get("azp", self._client.id if len(audiences) == 1 else None) == self._client.id,
            "exp": _seconds(claims.get("exp"), -1) > moment - SKEW,
            "iat": _seconds(claims.get("iat"), moment + 2 * SKEW) < moment + SKEW,
            "nbf": _seconds(claims.get("nbf", 0), moment + 2 * SKEW) < moment + SKEW,
            "nonce": claims.get("nonce") == nonce,
            "sub": isinstance(claims.get("sub"), str) and bool(claims["sub"]),
            self._client.claim: isinstance(claims.get(self._client.claim), str),
        }
        wrong = [name for name, right in checks.items() if not right]
        if wrong:
            raise IdentityRefused(f"the identity token's {', '.join(wrong)} will not do")
        return Identity(self._client.issuer, claims["sub"], claims[self._client.claim])

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token with a good signature; keys are fetched again once where none fits."""
        for fresh in (False, True):
            try:
                return dict(jwt.decode(token, self._key_set(fresh), algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError) as error:
                if fresh:
                    raise IdentityRefused(f"the identity token: {error}") from None
        raise AssertionError("not reached")

    def _key_set(self, fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            self._keys = KeySet.import_key_set(self._ask("GET", self._about("jwks_uri")))  # type: ignore[arg-type]
        return self._keys

    def _about(self, name: str) -> str:
        """An address from the provider's own description, read once; its issuer must be the one we know."""
        if not self._metadata:
            place = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = self._ask("GET", place)
            if metadata.get("issuer") != self._client.issuer:
                raise IdentityRefused("the provider calls itself by another issuer")
            self._metadata = metadata
        return str(self._metadata[name])

    def _ask(self, method: str, address: str, **how: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, address, **how)
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"the identity provider: {error or type(error).__name__}") from error
        if answer.status_code >= 500:
            raise Unavailable(f"the identity provider: HTTP {answer.status_code}")
        if answer.status_code >= 400 or not isinstance(found, dict):
            raise IdentityRefused(f"the provider answers HTTP {answer.status_code}")
        return found


def _seconds(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
