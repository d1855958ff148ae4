"""Sign-in with a real OpenID provider on loopback: who is vouched for comes in, and nobody by a bent answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.ports import free_port
from schemas.errors import Misdeclared
from streams.console.oidc import Client, Provider
from tests.streams.duty.console.house import House, house_open, settings_for
from tests.streams.duty.console.provider import CLIENT, SECRET, Claims, OpenId, provider_open

Bend = Callable[[Claims], Claims]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, OpenId]]:
    port = free_port()
    given = {"LIAOWANG_OIDC_ISSUER": f"http://127.0.0.1:{port}", "LIAOWANG_OIDC_CLIENT_ID": CLIENT}
    given |= {"LIAOWANG_OIDC_CLIENT_SECRET": SECRET}
    settings = settings_for(tmp_path_factory.mktemp("home"), **given)
    with (
        provider_open(port, f"{settings.console}/oidc/callback") as provider,
        house_open(settings) as house,
    ):
        for login in ("zhang", "li", "wang"):
            house.officer(login, "ecology-duty", "330100")
        yield house, provider


@contextmanager
def as_told(provider: OpenId, **how: object) -> Iterator[None]:
    """The provider behaves so for as long as the block lasts."""
    before = {name: getattr(provider, name) for name in how}
    for name, value in how.items():
        setattr(provider, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(provider, name, value)


def come_in(client: httpx.Client, path: str = "/rules") -> httpx.Response:
    """Follow the whole way: begin, provider, back."""
    begun = client.get(f"/oidc/begin?next={path}")
    at_provider = httpx.get(begun.headers["location"], trust_env=False)
    return client.get(at_provider.headers["location"])


def test_an_officer_the_provider_vouches_for_comes_in_where_he_wanted(both: tuple[House, OpenId]) -> None:
    house, _ = both
    with house.visitor() as client:
        assert "/oidc/begin" in client.get("/sign-in?next=/rules").text
        answer = come_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/rules")
        assert "zhang" in client.get("/rules").text


def test_the_policy_lets_the_form_go_to_the_provider_and_nowhere_else(both: tuple[House, OpenId]) -> None:
    house, provider = both
    with house.visitor() as client:
        policy = client.get("/sign-in").headers["content-security-policy"]
        assert f"form-action 'self' {provider.issuer};" in policy


def test_an_identity_nobody_here_has_is_refused(both: tuple[House, OpenId]) -> None:
    house, provider = both
    with house.visitor() as client, as_told(provider, login="stranger", subject="s-9"):
        answer = come_in(client)
        assert answer.status_code == 403 and "没有账号" in answer.text
        assert house.console.deps.cookie not in client.cookies


def test_an_officer_stays_bound_to_the_subject_that_came_first(both: tuple[House, OpenId]) -> None:
    house, provider = both
    with as_told(provider, login="li", subject="li-1"), house.visitor() as client:
        assert come_in(client).status_code == 303
    with as_told(provider, login="li", subject="somebody-else"), house.visitor() as client:
        assert come_in(client).status_code == 403
    with as_told(provider, login="renamed", subject="li-1"), house.visitor() as client:
        assert come_in(client).status_code == 303
        assert ">li<" in client.get("/rules").text


LIES: dict[str, Bend] = {
    "another audience": lambda c: c | {"aud": "another"},
    "several audiences without azp": lambda c: c | {"aud": [CLIENT, "another"]},
    "another party": lambda c: c | {"azp": "another"},
    "another issuer": lambda c: c | {"iss": "http://127.0.0.1:1"},
    "another nonce": lambda c: c | {"nonce": "replayed"},
    "no nonce": lambda c: {k: v for k, v in c.items() if k != "nonce"},
    "too old": lambda c: c | {"exp": int(time.time()) - 120},
    "from the future": lambda c: c | {"iat": int(time.time()) + 600},
    "not yet": lambda c: c | {"nbf": int(time.time()) + 600},
    "no expiry": lambda c: {k: v for k, v in c.items() if k != "exp"},
    "no subject": lambda c: {k: v for k, v in c.items() if k != "sub"},
    "no login": lambda c: {k: v for k, v in c.items() if k != "preferred_username"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_bent_identity_token_lets_nobody_in(both: tuple[House, OpenId], lie: str) -> None:
    house, provider = both
    with house.visitor() as client, as_told(provider, bend=LIES[lie]):
        assert come_in(client).status_code == 403
        assert house.console.deps.cookie not in client.cookies


@pytest.mark.parametrize("forge", ["none", "symmetric", "key"])
def test_a_forged_signature_lets_nobody_in(both: tuple[House, OpenId], forge: str) -> None:
    house, provider = both
    with house.visitor() as client, as_told(provider, forge=forge):
        assert come_in(client).status_code == 403


def test_a_rotated_key_is_fetched_and_an_unpublished_one_refused(both: tuple[House, OpenId]) -> None:
    house, provider = both
    with house.visitor() as client:
        provider.rotate()
        assert come_in(client).status_code == 303
    old = provider.key
    with house.visitor() as client, as_told(provider, published=old):
        provider.rotate()
        assert come_in(client).status_code == 403
        provider.key = old


def test_an_answer_is_good_once_and_in_the_browser_that_asked(both: tuple[House, OpenId]) -> None:
    house, _ = both
    with house.visitor() as client, house.visitor() as other:
        begun = client.get("/oidc/begin")
        back = httpx.get(begun.headers["location"], trust_env=False).headers["location"]
        assert other.get(back).status_code == 403, "no cookie of this sign-in"
        other.get("/oidc/begin")
        assert other.get(back).status_code == 403, "the cookie of another sign-in"
        assert client.get(back).status_code == 303
        client.cookies.clear()
        assert client.get(back).status_code == 403
        denied = client.get("/oidc/callback?error=access_denied&state=x")
        assert denied.status_code == 403


def test_a_provider_that_is_away_is_said_and_passwords_still_work(tmp_path: Path) -> None:
    given = {"LIAOWANG_OIDC_ISSUER": f"http://127.0.0.1:{free_port()}", "LIAOWANG_OIDC_CLIENT_ID": CLIENT}
    with house_open(settings_for(tmp_path, **given)) as house:
        house.officer("zhang", "ecology-duty", "330100")
        with house.visitor() as client:
            assert client.get("/oidc/begin").status_code == 503
        with house.visitor("zhang") as client:
            assert client.get("/cases").status_code == 200


def test_a_provider_that_calls_itself_otherwise_is_not_believed(both: tuple[House, OpenId]) -> None:
    _, provider = both
    with as_told(provider, calls_itself="http://127.0.0.1:1"), httpx.Client(trust_env=False) as http:
        fresh = Provider(Client(provider.issuer, CLIENT, SECRET, provider.redirect), http)
        with pytest.raises(Exception, match="another issuer"):
            fresh.begin("/")


def test_an_issuer_in_the_open_is_misdeclared() -> None:
    with (
        httpx.Client(trust_env=False) as http,
        pytest.raises(Misdeclared, match="OIDC_ISSUER: must be an https"),
    ):
        Provider(Client("http://id.example", CLIENT, SECRET, "x"), http)
