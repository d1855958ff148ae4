"""Nobody sees or changes anything without having signed in, and nobody gets in by trying."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from streams.bounded import Crowded, Places
from streams.console.access import LIVE
from streams.console.accounts import IDLE, LIFE, SignInRefused
from streams.console.lanes import DEVICE_COOKIE
from streams.console.pauses import LONGEST, Pauses, pause
from streams.console.service import SIGN_INS
from streams.console.signing import FORM_COOKIE
from streams.duty.accounts.limits import Limit
from streams.duty.accounts.officers import add_token, find, set_active, set_password
from streams.duty.database.models import Officer
from streams.duty.database.sessions import BrowserSession
from streams.duty.home import operator
from tests.streams.duty.console.house import (
    NOW,
    PASSWORD,
    Clock,
    House,
    field_of,
    house_open,
    settings_for,
    sign_in,
)

PAGES = (
    "/",
    "/cases",
    "/cases/1",
    "/screen",
    "/roster",
    "/rules",
    "/health",
    "/indicators/x",
    "/cases/1/attachments/1",
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_open(settings_for(tmp_path_factory.mktemp("home"))) as opened:
        opened.officer("zhang", "ecology-duty", "330100", "张三")
        yield opened


def test_every_page_sends_strangers_to_sign_in_and_back(house: House) -> None:
    with house.visitor() as stranger:
        for path in PAGES:
            answer = stranger.get(path)
            assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?next=/"), (
                path
            )
        assert stranger.get("/events").status_code == 401
        assert stranger.get("/api/v1/cases").status_code == 401
        assert stranger.post("/cases/1/acknowledge", data={"csrf": ""}).status_code == 303


def test_a_password_opens_a_session_and_signing_out_ends_it(house: House) -> None:
    with house.visitor() as client:
        answer = sign_in(client, "zhang", next_path="/roster?week=2026-03-02")
        assert (answer.status_code, answer.headers["location"]) == (303, "/roster?week=2026-03-02")
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("liaowang_session_"))
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
        page = client.get("/cases")
        assert page.status_code == 200 and "张三" in page.text
        token = client.cookies[house.console.deps.cookie]
        client.post("/sign-out", data={"csrf": field_of(page.text, "csrf")})
        assert client.get("/cases").status_code == 303
        client.cookies.set(house.console.deps.cookie, token)
        assert client.get("/cases").status_code == 303, "the token is dead on the server, too"


def test_the_database_holds_no_token_and_no_password(house: House) -> None:
    with house.visitor("zhang") as client, house.console.deps.database.reading() as session:
        token = client.cookies[house.console.deps.cookie]
        rows = session.scalars(sa.select(BrowserSession)).all()
        assert rows and all(token not in (row.token_hash, row.csrf) for row in rows)
        hashes = session.scalars(sa.select(Officer.password_hash)).all()
        assert all(not text or text.startswith("$argon2id$") for text in hashes)


def test_the_first_start_makes_an_administrator_with_the_secret_password(house: House) -> None:
    with house.visitor("admin", house.settings.console_admin_password) as client:
        assert client.get("/cases?whose=all").status_code == 200
    assert len(house.settings.console_admin_password) > 30
    assert house.settings.console_admin_password not in repr(house.settings)


def test_wrong_passwords_unknown_logins_and_accounts_without_password_read_the_same(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house, house.visitor() as client:
        house.officer("li", "ecology-duty", "330000")
        texts = set()
        for login, password in (
            ("li", "wrong wrong wrong"),
            ("nobody", PASSWORD),
            ("ecology-1", ""),
            ("li", "x" * 5000),
        ):
            answer = sign_in(client, login, password)
            assert answer.status_code == 403 and house.console.deps.cookie not in client.cookies
            texts.add(answer.text.split('role="alert"')[1].split("</p>")[0])
        assert len(texts) == 1


def test_five_wrong_passwords_lock_nobody_out(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house, house.visitor() as client:
        house.officer("wang", "ecology-duty", "330000")
        for _ in range(5):
            assert sign_in(client, "wang", "wrong wrong wrong").status_code == 403
        assert sign_in(client, "wang").status_code == 303


def test_who_goes_on_trying_waits_and_the_officers_own_browser_does_not(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with (
        house_open(settings_for(tmp_path), clock) as house,
        house.visitor() as stranger,
        house.visitor() as own,
    ):
        for login in ("wang", "li"):
            house.officer(login, "ecology-duty", "330000")
        assert sign_in(own, "wang").status_code == 303
        codes = [sign_in(stranger, "wang", "wrong wrong wrong").status_code for _ in range(20)]
        assert codes[:6] == [403] * 6 and set(codes[6:]) == {429}
        refused = sign_in(stranger, "wang")
        assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 31
        own.cookies.delete(house.console.deps.cookie)
        assert sign_in(own, "wang").status_code == 303, "his own browser"
        assert sign_in(stranger, "li").status_code == 303, "another login from that address"
        stranger.cookies.delete(house.console.deps.cookie)
        clock.stands = NOW + timedelta(seconds=LONGEST + 1)
        assert sign_in(stranger, "wang").status_code == 303


def test_a_browser_vouches_for_the_officer_who_signed_in_there_alone(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path), Clock(stands=NOW)) as house, house.visitor() as client:
        for login in ("wang", "li"):
            house.officer(login, "ecology-duty", "330000")
        assert sign_in(client, "wang").status_code == 303
        client.cookies.delete(house.console.deps.cookie)
        codes = [sign_in(client, "li", "wrong wrong wrong").status_code for _ in range(7)]
        assert codes == [403] * 6 + [429]
        client.cookies.set(DEVICE_COOKIE, "forged")
        assert sign_in(client, "li").status_code == 429


def test_a_new_password_and_deactivation_end_sessions_and_tokens(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house:
        deps, now = house.console.deps, house.clock()
        actor = operator("operator:test", "test", deps.regions)
        for login in ("wang", "li", "other"):
            house.officer(login, "ecology-duty", "330000")
        with house.visitor("wang") as wang, house.visitor("li") as li, house.visitor("other") as other:
            with deps.database.writing() as session:
                tokens = {
                    login: add_token(session, actor, now, find(session, login), f"of-{login}", scope=scope)
                    for login, scope in (("wang", "calendar"), ("li", "api"), ("other", "api"))
                }
            with deps.database.writing() as session:
                set_password(session, find(session, "wang"), "a new password of his", now)
                set_active(session, find(session, "li"), actor, now, deps.regions, False)
                set_active(session, find(session, "li"), actor, now, deps.regions, True)
            assert [client.get("/cases").status_code for client in (wang, li, other)] == [303, 303, 200]
            calendar = "/api/v1/calendar/officers/wang.ics"
            known = {login: {"Authorization": f"Bearer {token}"} for login, token in tokens.items()}
            assert other.get(calendar, headers=known["wang"]).status_code == 401
            assert other.get("/api/v1/me", headers=known["li"]).status_code == 401
            assert other.get("/api/v1/me", headers=known["other"]).status_code == 200
        with house.visitor() as anew:
            assert sign_in(anew, "wang").status_code == 403
            assert sign_in(anew, "wang", "a new password of his").status_code == 303


def test_an_unknown_login_costs_one_hash_like_any_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    verify, made = PasswordHasher.verify, PasswordHasher.hash
    monkeypatch.setattr(
        PasswordHasher,
        "verify",
        lambda self, known, given: (seen.append("verify"), verify(self, known, given))[1],
    )
    monkeypatch.setattr(
        PasswordHasher, "hash", lambda self, given: (seen.append("hash"), made(self, given))[1]
    )
    costs = []
    for login in ("zhang", "nobody", "ecology-1"):
        seen.clear()
        with pytest.raises(SignInRefused, match="wrong"):
            house.console.deps.accounts.sign_in(login, "wrong wrong wrong", NOW)
        costs.append(list(seen))
    assert costs == [["verify"]] * 3


def test_forty_sign_ins_at_once_take_their_turns_or_are_told_to_come_again(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house, ThreadPoolExecutor(40) as pool:
        house.officer("zhang", "ecology-duty", "330000")

        def once(_: int) -> int:
            with house.visitor() as client:
                return sign_in(client, "zhang", "wrong wrong wrong").status_code

        codes = list(pool.map(once, range(40)))
    assert set(codes) == {403, 429} and codes.count(403) <= SIGN_INS.burst + 1


def test_places_are_kept_and_come_back() -> None:
    async def crowd() -> tuple[int, int]:
        places, at_work, most = Places(2, 20, 10.0), 0, 0

        async def one() -> bool:
            nonlocal at_work, most
            try:
                async with places.one():
                    at_work += 1
                    most = max(most, at_work)
                    await asyncio.sleep(0.001)
                    at_work -= 1
                    return True
            except Crowded:
                return False

        done = await asyncio.gather(*(one() for _ in range(40)))
        again = await asyncio.gather(*(one() for _ in range(22)))
        assert all(again), "places come back"
        return sum(done), most

    assert asyncio.run(crowd()) == (22, 2)


def test_sign_in_is_limited_by_login_and_where_it_comes_from(tmp_path: Path) -> None:
    """Every try counts, also one that is right: a password is never looked at more often."""
    with house_open(settings_for(tmp_path), Clock(stands=NOW)) as house, house.visitor() as client:
        house.officer("wang", "ecology-duty", "330000")
        codes = []
        for _ in range(SIGN_INS.burst + 1):
            codes.append(sign_in(client, "wang").status_code)
            client.cookies.clear()
        assert codes[:-1] == [303] * SIGN_INS.burst and codes[-1] == 429


def test_requests_are_limited_and_the_answer_says_when_to_come_again(tmp_path: Path) -> None:
    limit, clock = Limit(5, 60), Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock, limit) as house, house.visitor() as client:
        answers = [client.get("/sign-in") for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and int(refused[0].headers["retry-after"]) >= 1
        assert answers[0].status_code == 200


def test_sessions_end_when_unused_and_after_a_week_whatever_happens(tmp_path: Path) -> None:
    clock = Clock()
    with house_open(settings_for(tmp_path), clock) as house:
        house.officer("zhao", "ecology-duty", "330000")
        with house.visitor("zhao") as unused, house.visitor("zhao") as used:
            for _ in range(int(LIFE / IDLE) * 2 - 1):
                clock.ahead += IDLE / 2
                assert used.get("/cases").status_code == 200
            assert unused.get("/cases").status_code == 303
            clock.ahead += IDLE / 2
            assert used.get("/cases").status_code == 303


def test_a_page_that_only_keeps_itself_up_to_date_does_not_keep_its_session(tmp_path: Path) -> None:
    clock = Clock()
    with house_open(settings_for(tmp_path), clock) as house:
        house.officer("zhao", "ecology-duty", "330000")
        with house.visitor("zhao") as client:
            clock.ahead += IDLE / 2
            assert client.get("/cases", headers={LIVE: "1"}).status_code == 200
            with client.stream("GET", "/events") as stream:
                assert stream.status_code == 200
            clock.ahead += IDLE / 2 + timedelta(minutes=1)
            assert client.get("/cases", headers={LIVE: "1"}).status_code == 303


def test_a_screen_on_a_wall_is_used_by_being_looked_at(tmp_path: Path) -> None:
    clock = Clock()
    with house_open(settings_for(tmp_path), clock) as house:
        house.officer("zhao", "ecology-duty", "330000")
        with house.visitor("zhao") as client:
            for _ in range(3):
                clock.ahead += IDLE / 2
                assert client.get("/screen", headers={LIVE: "1"}).status_code == 200
            clock.ahead += LIFE
            assert client.get("/screen", headers={LIVE: "1"}).status_code == 303


def test_an_officer_who_is_not_active_any_more_is_out_at_once(house: House) -> None:
    house.officer("gone", "ecology-duty", "330000")
    with house.visitor("gone") as client:
        with house.console.deps.database.writing() as session:
            session.execute(sa.update(Officer).where(Officer.login == "gone").values(active=False))
        assert client.get("/cases").status_code == 303
        assert sign_in(client, "gone").status_code == 403


def test_forms_of_others_change_nothing(house: House) -> None:
    case = house.warn(1)
    house.assign(case, "zhang")
    with house.visitor("zhang") as client:
        token = field_of(client.get(f"/cases/{case}").text, "csrf")
        address = f"/cases/{case}/acknowledge"
        foreign = {"origin": "https://evil.example"}
        assert client.post(address).status_code in (403, 411)
        assert client.post(address, data={"csrf": "x"}).status_code == 403
        assert client.post(address, data={"csrf": token}, headers=foreign).status_code == 403
        assert client.get(address).status_code == 405
        with house.visitor() as other:
            login = {"login": "zhang", "password": PASSWORD, "csrf": "made up"}
            assert other.post("/sign-in", data=login).status_code == 403
        assert house.stored(case).state == "new"
        assert (
            client.post(address, data={"csrf": token}, headers={"origin": house.address}).status_code == 303
        )
        assert house.stored(case).state == "acknowledged"


def test_every_answer_carries_the_security_headers(house: House) -> None:
    with house.visitor("zhang") as client:
        stamp = client.get("/cases").text.split("console.css?")[1].split('"')[0]
        for path in (
            "/cases",
            "/cases/999",
            "/nowhere",
            f"/static/console.css?{stamp}",
            "/sign-in",
            "/healthz",
        ):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src 'self';" in policy, path
            assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert "strict-transport-security" not in headers
            assert ("no-store" in headers["cache-control"]) == (not path.startswith("/static"))


FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}


def test_the_trusted_proxy_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with house_open(settings_for(tmp_path, LIAOWANG_TRUSTED_PROXY="127.0.0.1")) as house:
        house.officer("zhang", "ecology-duty", "330000")
        with house.visitor() as client:
            client.headers.update(FORWARDED)
            form = client.get("/sign-in")
            assert "max-age=" in form.headers["strict-transport-security"]
            assert all("Secure" in cookie for cookie in form.headers.get_list("set-cookie"))
            client.cookies = httpx.Cookies({FORM_COOKIE: field_of(form.text, "csrf")})
            sign_in(client, "zhang", "wrong wrong wrong")
    assert "203.0.113.7" in caplog.text


def test_nobody_else_is_believed(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with house.visitor() as client:
        client.headers.update(FORWARDED)
        form = client.get("/sign-in")
        assert "strict-transport-security" not in form.headers
        assert not any("Secure" in cookie for cookie in form.headers.get_list("set-cookie"))
        sign_in(client, "zhang", "wrong wrong wrong")
    assert "console:127.0.0.1" in caplog.text and "203.0.113.7" not in caplog.text


def test_other_names_of_this_host_are_not_answered(house: House) -> None:
    with house.visitor() as client:
        assert client.get("/sign-in", headers={"host": "rebound.example"}).status_code == 421


def test_too_large_a_form_is_refused_before_it_is_read(house: House) -> None:
    with house.visitor("zhang") as client:
        assert client.post("/cases/1/comment", data={"text": "x" * 200_000}).status_code == 413
        assert client.post("/cases/1/comment", content=iter([b"x"])).status_code == 411


def test_a_chosen_language_is_kept_and_marked(house: House) -> None:
    with house.visitor("zhang") as client:
        assert '<html lang="zh-CN"' in client.get("/cases").text
        answer = client.get("/language/en?next=/rules")
        assert answer.headers["location"] == "/rules"
        page = client.get("/rules").text
        assert '<html lang="en"' in page and "True share" in page
        assert client.get("/language/en?next=//evil.example").headers["location"] == "/"
        assert client.get("/language/xx?next=/cases").status_code == 303
        assert '<html lang="en"' in client.get("/cases").text


def test_pauses_grow_end_and_are_forgotten() -> None:
    assert [pause(n) for n in (0, 5, 6, 7, 8, 40)] == [0, 0, 1, 2, 4, LONGEST]
    pauses = Pauses(kept=3)
    for second in range(8):
        pauses.failed("a", "here", second)
    assert (
        pauses.wait("a", "here", 7) == 4.0
        and pauses.wait("a", "there", 7) == pauses.wait("b", "here", 7) == 0
    )
    assert pauses.wait("a", "here", 11) == 0
    pauses.succeeded("a", "here")
    assert pauses.wait("a", "here", 7) == 0
    for place in "abcdefgh":
        for _ in range(9):
            pauses.failed("x", place, 100)
    assert [pauses.wait("x", place, 100) > 0 for place in "efgh"] == [False, True, True, True]
    pauses.failed("x", "h", 9999)
    assert pauses.wait("x", "h", 9999) == 0, "what was an hour ago does not count"
