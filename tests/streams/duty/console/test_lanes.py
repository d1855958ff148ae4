"""A crowd at one address keeps nobody out who can show that he has been here before, or that he was sent here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams.console import accounts
from streams.console.accounts import SignInRefused
from streams.console.lanes import DEVICE_COOKIE
from streams.console.service import PLACE_SIGN_INS, SIGN_INS, TAPS
from streams.duty.accounts.limits import Limit
from streams.duty.accounts.officers import find, give, set_active, set_password, take
from streams.duty.accounts.rights import Grant
from streams.duty.home import operator
from tests.streams.duty.console.house import NOW, Clock, House, field_of, house_open, settings_for, sign_in
from tests.streams.duty.console.test_acknowledge import link, waiting


def test_tries_of_one_login_leave_the_others_at_that_address(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock) as house, house.visitor() as stranger:
        house.officer("wang", "ecology-duty", "330000")
        for _ in range(3 * SIGN_INS.burst):
            sign_in(stranger, "li", "wrong wrong wrong")
        for n in range(SIGN_INS.burst):
            assert sign_in(stranger, f"nobody-{n}", "x").status_code == 403
        assert sign_in(stranger, "wang").status_code == 303


def test_logins_that_are_invented_where_no_tries_are_left_leave_nothing_to_remember(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock) as house, house.visitor() as stranger:
        deps = house.console.deps
        for _ in range(PLACE_SIGN_INS.burst):
            deps.places.wait("console:127.0.0.1", clock().timestamp())
        before = dict(deps.sign_ins._buckets)
        codes = {sign_in(stranger, f"nobody-{n}", "x").status_code for n in range(5)}
        assert codes == {429} and deps.sign_ins._buckets == before


def test_a_login_without_tries_left_costs_its_address_none(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock) as house, house.visitor() as stranger:
        deps, moment = house.console.deps, clock().timestamp()
        for _ in range(SIGN_INS.burst):
            deps.sign_ins.wait("li console:127.0.0.1", moment)
        before = deps.places.until("console:127.0.0.1", moment), dict(deps.places._buckets)
        assert sign_in(stranger, "li", "wrong wrong wrong").status_code == 429
        assert before == (deps.places.until("console:127.0.0.1", moment), deps.places._buckets)


def test_all_logins_of_an_address_have_a_bound_and_a_known_browser_its_own(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock) as house, house.visitor() as own, house.visitor() as other:
        for login in ("wang", "li"):
            house.officer(login, "ecology-duty", "330000")
        assert sign_in(own, "wang").status_code == 303
        own.cookies.delete(house.console.deps.cookie)
        for _ in range(PLACE_SIGN_INS.burst):
            house.console.deps.places.wait("console:127.0.0.1", clock().timestamp())
        assert sign_in(other, "li").status_code == 429, "the wide bound of the address"
        assert sign_in(own, "wang").status_code == 303, "his own browser"
        own.cookies.delete(house.console.deps.cookie)
        assert sign_in(own, "li").status_code == 429, "which vouches for nobody else"


def test_places_for_passwords_that_are_all_taken_leave_one_to_known_browsers(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house, house.visitor() as own, house.visitor() as other:
        house.officer("wang", "ecology-duty", "330000")
        assert sign_in(own, "wang").status_code == 303
        own.cookies.delete(house.console.deps.cookie)
        places = house.console.deps.hashing
        places._here = places._most
        try:
            assert sign_in(other, "wang").status_code == 429
            assert sign_in(own, "wang").status_code == 303
        finally:
            places._here = 0


def test_requests_of_strangers_leave_known_browsers_and_links_alone(tmp_path: Path) -> None:
    clock = Clock(stands=NOW)
    with house_open(settings_for(tmp_path), clock, Limit(6, 6)) as house:
        for login in ("zhang", "li"):
            house.officer(login, "ecology-duty", "330100", login)
        case = waiting(house, 1)
        with house.visitor() as own, house.visitor() as stranger, house.visitor() as phone:
            assert sign_in(own, "zhang").status_code == 303
            own.cookies.delete(house.console.deps.cookie)
            codes = [stranger.get("/sign-in").status_code for _ in range(10)]
            assert codes[-1] == 429
            assert stranger.get("/a/rubbish").status_code == 429
            assert own.get("/sign-in").status_code == 200 and sign_in(own, "zhang").status_code == 303
            assert phone.post(link(house, case)).status_code == 200
            own.cookies.delete(house.console.deps.cookie)
            own.cookies.delete(DEVICE_COOKIE)
            own.cookies.set(DEVICE_COOKIE, "forged.forged")
            assert own.get("/sign-in").status_code == 429


def test_rubbish_instead_of_links_costs_who_sends_it_and_no_tap(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path), Clock(stands=NOW)) as house, house.visitor() as phone:
        for login in ("zhang", "li"):
            house.officer(login, "ecology-duty", "330100", login)
        codes = [phone.post("/a/rubbish").status_code for _ in range(TAPS.burst + 2)]
        assert codes == [403] * TAPS.burst + [429] * 2
        for number in range(TAPS.burst + 2):
            assert phone.post(link(house, waiting(house, number))).status_code == 200
        assert phone.post("/a/rubbish").status_code == 429


Change = Callable[[House], None]


def _reset(house: House) -> None:
    with house.console.deps.database.writing() as session:
        set_password(session, find(session, "wang"), "a new password of his", house.clock())


def _deactivate(house: House) -> None:
    actor = operator("operator:test", "test", house.console.deps.regions)
    with house.console.deps.database.writing() as session:
        regions = house.console.deps.regions
        set_active(session, find(session, "wang"), actor, house.clock(), regions, False)


@pytest.mark.parametrize("change", [_reset, _deactivate])
def test_a_sign_in_that_races_a_change_of_the_password_opens_nothing(
    tmp_path: Path, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The barrier: the old password is found right, then it changes, then the session would open."""
    checked, changed = threading.Event(), threading.Event()
    check = accounts.check_password

    def slowly(*given: Any) -> Any:
        found = check(*given)
        checked.set()
        assert changed.wait(60)
        return found

    with house_open(settings_for(tmp_path)) as house:
        house.officer("wang", "ecology-duty", "330000")
        monkeypatch.setattr(accounts, "check_password", slowly)
        seen: list[object] = []

        def try_it() -> None:
            try:
                seen.append(house.console.deps.accounts.sign_in("wang", "correct horse battery", NOW))
            except SignInRefused as refused:
                seen.append(refused.reason)

        racing = threading.Thread(target=try_it)
        racing.start()
        assert checked.wait(60)
        change(house)
        changed.set()
        racing.join(60)
        assert seen == ["wrong"]


def test_what_was_asked_before_the_access_ended_changes_nothing(tmp_path: Path) -> None:
    """A page's change is decided in the transaction that looks whether its session still holds."""
    with house_open(settings_for(tmp_path)) as house, house.visitor() as client:
        house.officer("wang", "ecology-duty", "330000")
        case = house.warn(1)
        house.assign(case, "wang")
        form = _signed_in_at(house, client, case)
        assert _while_asked(house, _reset, client, form).status_code in (303, 403)
        assert house.stored(case).state == "new"
        form = _signed_in_at(house, client, case, "a new password of his")
        assert _while_asked(house, _taken, client, form).status_code in (403, 409)
        assert house.stored(case).state == "new"
        _given(house)
        form = _signed_in_at(house, client, case, "a new password of his")
        assert _while_asked(house, lambda _: None, client, form).status_code == 303
        assert house.stored(case).state != "new"


@dataclass(frozen=True)
class Form:
    """Where a case is acknowledged, and the token of the page's form."""

    path: str
    csrf: str


def _signed_in_at(
    house: House, client: httpx.Client, case: int, password: str = "correct horse battery"
) -> Form:
    token = house.console.deps.accounts.sign_in("wang", password, house.clock())
    client.cookies.set(house.console.deps.cookie, token)
    return Form(f"/cases/{case}/acknowledge", field_of(client.get(f"/cases/{case}").text, "csrf"))


def _while_asked(house: House, change: Change, client: httpx.Client, form: Form) -> httpx.Response:
    """Send the form; the change happens when the page asks for its desk: it is known by then who asks."""
    deps, asked = house.console.deps, house.console.deps.desk

    def desk() -> Any:
        object.__setattr__(deps, "desk", asked)
        change(house)
        return asked()

    object.__setattr__(deps, "desk", desk)
    return client.post(form.path, data={"csrf": form.csrf})


def _taken(house: House) -> None:
    deps = house.console.deps
    actor = operator("operator:test", "test", deps.regions)
    with deps.database.writing() as session:
        grant = Grant("ecology-duty", "330000")
        take(session, actor, house.clock(), deps.regions, find(session, "wang"), grant)


def _given(house: House) -> None:
    deps = house.console.deps
    actor = operator("operator:test", "test", deps.regions)
    with deps.database.writing() as session:
        grant = Grant("ecology-duty", "330000")
        give(session, actor, house.clock() + timedelta(seconds=1), deps.regions, find(session, "wang"), grant)
