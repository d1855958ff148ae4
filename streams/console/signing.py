"""Signing in and out, by password or by an OpenID provider; and the choice of language."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from streams.bounded import Crowded
from streams.console.access import (
    CROWDED,
    LANGUAGE_COOKIE,
    Guest,
    Visit,
    action,
    answer,
    check_csrf,
    go,
    local_path,
    origin_of,
    public_endpoint,
    too_many,
)
from streams.console.accounts import LIFE, SignInRefused
from streams.console.dependencies import ConsoleDependencies
from streams.console.forms import check_length, form_of
from streams.console.i18n import LANGUAGES
from streams.console.lanes import DEVICE_COOKIE, Device, device_cookie, device_of
from streams.console.oidc import IdentityRefused, Pending

log = logging.getLogger("liaowang.console")

FORM_COOKIE, OIDC_COOKIE = "liaowang_form", "liaowang_oidc"
LONGEST_LOGIN = 64
OIDC_SECONDS = 600
YEAR = 365 * 86400


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of signing in."""
    return [
        Route("/sign-in", public_endpoint(deps, show)),
        Route("/sign-in", _submit(deps), methods=["POST"]),
        Route("/sign-out", action(deps, sign_out), methods=["POST"]),
        Route("/language/{language}", public_endpoint(deps, choose_language)),
        Route("/oidc/begin", public_endpoint(deps, begin)),
        Route("/oidc/callback", public_endpoint(deps, finish)),
    ]


def show(guest: Guest, fault: str = "", login: str = "", status: int = 200) -> Response:
    """The form to sign in; those who are signed in already go on."""
    path = local_path(guest.request.query_params.get("next", "/"))
    if guest.visitor is not None:
        return go(path)
    token = guest.request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    oidc = guest.deps.provider is not None
    reply = guest.render("sign_in.html", status, fault=fault, login=login, next=path, csrf=token, oidc=oidc)
    _keep(guest, reply, FORM_COOKIE, token, samesite="strict")
    return reply


def _submit(deps: ConsoleDependencies) -> Any:
    """The endpoint that takes the form: there is no session yet, so its token is compared with a cookie's."""

    async def endpoint(request: Request) -> Response:
        check_length(request)
        async with form_of(request, max_files=0, max_fields=10) as form:
            check_csrf(request, str(form.get("csrf", "")), request.cookies.get(FORM_COOKIE, ""))
            known = _own_device(deps, request, _login(form))
            try:
                async with (deps.known_hashing if known else deps.hashing).one():
                    return await run_in_threadpool(answer, deps, request, lambda guest: sign_in(guest, form))
            except Crowded:
                return await run_in_threadpool(answer, deps, request, lambda guest: too_many(guest, CROWDED))

    return endpoint


def sign_in(guest: Guest, form: FormData) -> Response:
    """Sign in with a password. Tries are limited by login and place; nobody's tries lock others out."""
    login, password = _login(form), str(form.get("password", ""))
    moment, place = guest.now.timestamp(), place_of(guest, login)
    wait = guest.deps.pauses.wait(login, place, moment) or _tries(guest.deps, login, place, moment)
    if wait:
        return too_many(guest, wait)
    try:
        token = guest.deps.accounts.sign_in(login, password, guest.now)
    except SignInRefused as refused:
        guest.deps.pauses.failed(login, place, moment)
        log.warning("sign-in of %.64r refused from %s: %s", login, origin_of(guest.request), refused.reason)
        return show(guest, refused.reason, login, 403)
    guest.deps.pauses.succeeded(login, place)
    log.info("%s signed in from %s", login, origin_of(guest.request))
    return _signed_in(guest, login, token, str(form.get("next", "/")))


def _login(form: FormData) -> str:
    return str(form.get("login", "")).strip()[:LONGEST_LOGIN]


def _tries(deps: ConsoleDependencies, login: str, place: str, moment: float) -> float:
    """Seconds until a try of this login may be made at this place, whose other logins have a wider bound.

    A place without tries left remembers nothing of the logins that are invented there; a login without tries left
    costs its place none.
    """
    if wait := deps.places.until(place, moment) or deps.sign_ins.wait(f"{login} {place}", moment):
        return wait
    return deps.places.wait(place, moment)


def place_of(guest: Guest, login: str) -> str:
    """Where tries for this login are counted: the browser he has signed in with before, else the address."""
    known = _own_device(guest.deps, guest.request, login)
    return known.lane if known else origin_of(guest.request)


def _own_device(deps: ConsoleDependencies, request: Request, login: str) -> Device | None:
    """The browser, where it is one in which this very officer has signed in before."""
    device = device_of(deps.key, request)
    return device if device and device.login == login else None


def sign_out(visit: Visit, _: FormData) -> Response:
    """End the session, here and on the server."""
    visit.deps.accounts.sign_out(visit.request.cookies.get(visit.deps.cookie, ""))
    reply = go("/sign-in")
    reply.delete_cookie(visit.deps.cookie)
    return reply


def choose_language(guest: Guest) -> Response:
    """Remember a language and go back."""
    reply = go(local_path(guest.request.query_params.get("next", "/")))
    language = guest.request.path_params["language"]
    if language in LANGUAGES:
        _keep(guest, reply, LANGUAGE_COOKIE, language, max_age=YEAR)
    return reply


def begin(guest: Guest) -> Response:
    """Send the browser to the provider; what comes back is checked against a signed cookie."""
    provider = guest.deps.provider
    if provider is None:
        return guest.message(guest.words("not_found"), guest.words("not_found_text"), 404)
    path = local_path(guest.request.query_params.get("next", "/"))
    try:
        address, pending = provider.begin(path)
    except IdentityRefused as refused:
        return _not_by_oidc(guest, refused)
    reply = RedirectResponse(address, 303)
    kept = _serializer(guest.deps).dumps([pending.as_json(), int(guest.now.timestamp()) + OIDC_SECONDS])
    _keep(guest, reply, OIDC_COOKIE, kept, max_age=OIDC_SECONDS, path="/oidc")
    return reply


def finish(guest: Guest) -> Response:
    """The provider sends the browser back: verify who it is, and open a session for the officer."""
    provider = guest.deps.provider
    try:
        fields, until = _serializer(guest.deps).loads(guest.request.cookies.get(OIDC_COOKIE, ""))
        if provider is None or guest.now.timestamp() >= until:
            raise IdentityRefused("the sign-in took too long")
        pending = Pending(**fields)
        identity = provider.finish(pending, dict(guest.request.query_params), guest.now)
        login, token = guest.deps.accounts.sign_in_outside(
            identity.issuer, identity.subject, identity.login, guest.now
        )
    except (BadData, IdentityRefused, SignInRefused) as refused:
        return _not_by_oidc(guest, refused)
    log.info("%s signed in by %s from %s", identity.login, identity.issuer, origin_of(guest.request))
    return _signed_in(guest, login, token, pending.next)


def _not_by_oidc(guest: Guest, refused: Exception) -> Response:
    log.warning("sign-in by the provider refused from %s: %s", origin_of(guest.request), refused)
    key = "unknown" if isinstance(refused, SignInRefused) else "oidc_failed"
    reply = show(guest, key, status=403)
    reply.delete_cookie(OIDC_COOKIE, path="/oidc")
    return reply


def _signed_in(guest: Guest, login: str, token: str, path: str) -> Response:
    """Go on with a session, in a browser that is known from now on."""
    reply = go(local_path(path))
    _keep(guest, reply, guest.deps.cookie, token, max_age=int(LIFE.total_seconds()))
    known = device_of(guest.deps.key, guest.request)
    if known is None or known.login != login:
        known = Device(login, secrets.token_urlsafe(12))
    _keep(guest, reply, DEVICE_COOKIE, device_cookie(guest.deps.key, known), max_age=YEAR)
    reply.delete_cookie(FORM_COOKIE)
    reply.delete_cookie(OIDC_COOKIE, path="/oidc")
    return reply


def _keep(guest: Guest, reply: Response, name: str, value: str, **how: Any) -> None:
    """Set a cookie that no script reads and no other site sends; over TLS it stays there."""
    secure = guest.request.url.scheme == "https"
    given: dict[str, Any] = {"httponly": True, "secure": secure, "samesite": "lax"} | how
    reply.set_cookie(name, value, **given)


def _serializer(deps: ConsoleDependencies) -> URLSafeSerializer:
    return URLSafeSerializer(deps.key, salt="liaowang.oidc")
