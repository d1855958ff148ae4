"""The REST API: what officers may see and do, how refusals look, repeated posts, pages."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import icalendar
import pytest

from streams.duty.accounts.limits import Limit
from streams.duty.accounts.officers import find, grants_of, revoke_token, set_password, take
from streams.duty.api.front import FILES, FORM
from streams.duty.api.front import MOST as MOST_BYTES
from streams.duty.cases.attachments import LARGEST, MOST
from streams.duty.database.database import Database
from tests.streams.duty.api import Api
from tests.streams.duty.moments import NOW, root

CASES = "/api/v1/cases"


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    with Api(database, tmp_path / "home").running() as api:
        yield api


def test_an_officer_takes_a_case_from_its_warning_to_its_end(api: Api) -> None:
    api.warn("e1")
    client = api.as_("hangzhou-ecology-1")
    case = client.get(CASES).json()["items"][0]
    assert (case["state"], case["assignee"], case["role"]) == ("new", "hangzhou-ecology-2", "ecology-duty")
    here = f"{CASES}/{case['id']}"
    assert client.post(f"{here}/acknowledge").json()["assignee"] == "hangzhou-ecology-1"
    assert client.post(f"{here}/start", json={"text": "on the way"}).json()["state"] == "in_disposal"
    assert client.post(f"{here}/dispose", json={"done": "filter changed"}).json()["state"] == "disposed"
    assert client.post(f"{here}/confirm", json={"verdict": "true"}).json()["verdict"] == "true"
    closed = client.post(f"{here}/close").json()
    assert (closed["state"] == "closed" and closed["closed"] == NOW.astimezone().isoformat()) or closed[
        "closed"
    ]
    full = client.get(here).json()
    kinds = [entry["kind"] for entry in full["entries"]]
    assert kinds == ["opened", "assigned", "acknowledged", "started", "disposed", "confirmed", "closed"]
    assert full["entries"][2]["who"] == "hangzhou-ecology-1"
    assert full["entries"][2]["origin"] == "api 127.0.0.1"
    assert set(full["allowed"]) == {"reopen", "comment", "attach"}


def test_without_a_valid_token_nothing_is_answered(api: Api) -> None:
    bare = api.bare()
    for headers in ({}, {"Authorization": "Bearer lw_wrong"}, {"Authorization": "Basic eDp5"}):
        answer = bare.get(CASES, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert bare.get("/api/v1/healthz").json() == {"status": "ok"}


def test_who_asks_without_end_is_told_when_to_ask_again(database: Database, tmp_path: Path) -> None:
    with Api(database, tmp_path / "home", limit=Limit(burst=3, per_minute=6)).running() as api:
        one, other, bare = api.as_("hangzhou-ecology-1"), api.as_("hangzhou-ecology-2"), api.bare()
        assert [one.get(CASES).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = one.get(CASES)
        assert refused.headers["retry-after"] == "10"
        assert refused.headers["content-type"] == "application/problem+json"
        assert other.get(CASES).status_code == 200, "each account has its own"
        guesses = [bare.get(CASES, headers={"Authorization": f"Bearer lw_{n}"}).status_code for n in range(4)]
        assert guesses == [401, 401, 401, 429]
        assert other.get(CASES).status_code == 200, "guesses keep nobody out who has a token"
        api.clock.now += timedelta(seconds=10)
        assert [one.get(CASES).status_code for _ in range(2)] == [200, 429]


def test_a_revoked_token_and_one_of_a_calendar_open_nothing(api: Api) -> None:
    client = api.as_("ecology-1")
    assert client.get(CASES).status_code == 200
    with api.database.writing() as session:
        revoke_token(session, NOW, 1)
    assert client.get(CASES).status_code == 401
    reader = api.bare({"Authorization": f"Bearer {api.token('ecology-1', 'calendar')}"})
    assert reader.get(CASES).status_code == 401


def test_officers_see_the_cases_of_their_roles_and_regions_only(api: Api) -> None:
    api.warn("hangzhou", region="330110")
    api.warn("wenzhou", region="330302")
    api.warn("requests", region="330110", duty_role="governance-duty")

    def seen(client: httpx.Client) -> set[str]:
        return {case["subject"] for case in client.get(CASES).json()["items"]}

    assert seen(api.as_("hangzhou-ecology-1")) == {"hangzhou"}
    assert seen(api.as_("ecology-1")) == {"hangzhou", "wenzhou"}
    assert seen(api.as_("head-1")) == {"hangzhou", "wenzhou", "requests"}
    assert seen(api.as_("linan-governance-1")) == set()
    assert seen(api.officer("wenzhou-viewer", "viewer", "330300")) == {"wenzhou"}
    hidden = api.as_("hangzhou-ecology-1").get(f"{CASES}/2")
    assert (
        hidden.status_code == 404 and hidden.json()["detail"] == "no case 2 that hangzhou-ecology-1 may see"
    )


def test_a_viewer_sees_and_changes_nothing(api: Api) -> None:
    api.warn("e1")
    client = api.officer("looker", "viewer", "330000")
    assert client.get(f"{CASES}/1").json()["allowed"] == []
    refused = client.post(f"{CASES}/1/acknowledge")
    assert refused.status_code == 403 and refused.json()["title"] == "Not allowed"


def test_the_same_post_with_the_same_key_changes_nothing_again(api: Api) -> None:
    api.warn("e1")
    client = api.as_("ecology-1")
    once = [
        client.post(f"{CASES}/1/comments", json={"text": "x"}, headers={"Idempotency-Key": "k1"})
        for _ in "12"
    ]
    assert once[0].json() == once[1].json() and once[1].headers["idempotency-replayed"] == "true"
    assert [e["kind"] for e in client.get(f"{CASES}/1").json()["entries"]].count("commented") == 1
    other = client.post(f"{CASES}/1/comments", json={"text": "y"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 409 and "another request" in other.json()["detail"]


def test_what_cannot_be_is_a_problem_that_says_what_would_be_right(api: Api) -> None:
    api.warn("e1")
    client = api.as_("ecology-1")
    early = client.post(f"{CASES}/1/close")
    assert early.status_code == 409
    assert early.json()["detail"] == "case 1: a case that is new cannot be closed; it must be confirmed"
    wrong = client.post(f"{CASES}/1/confirm", json={"verdict": "maybe", "more": 1})
    assert wrong.status_code == 422
    assert {each["key"] for each in wrong.json()["errors"]} == {"body.verdict", "body.more"}
    stale = client.post(f"{CASES}/1/acknowledge", json={"version": 1})
    assert stale.status_code == 409 and "look again" in stale.json()["detail"]
    assert client.get("/api/v1/nothing").headers["content-type"] == "application/problem+json"


def test_pages_and_filters(api: Api) -> None:
    api.warn(*(f"e{n}" for n in range(5)))
    api.warn("r1", level="red")
    client = api.as_("ecology-1")
    first = client.get(CASES, params={"limit": 4})
    assert [len(first.json()["items"]), first.json()["total"]] == [4, 6]
    second = client.get(first.links["next"]["url"])
    assert len(second.json()["items"]) == 2 and "next" not in second.links
    ids = [case["id"] for case in first.json()["items"] + second.json()["items"]]
    assert sorted(ids) == list(range(1, 7)) and ids == sorted(ids, reverse=True)
    for params, number in (
        ({"level": "red"}, 1),
        ({"state": ["new", "closed"]}, 6),
        ({"open": "false"}, 0),
        ({"region": "330100"}, 6),
        ({"region": "330300"}, 0),
        ({"assignee": "me"}, 0),
        ({"q": "at r1"}, 1),
        ({"rule": "ecology.pm25-high", "kind": "follow_up"}, 0),
    ):
        assert client.get(CASES, params=params).json()["total"] == number, params


def test_follow_up_cases_are_opened_by_region_and_closed_before_their_origin(api: Api) -> None:
    api.warn("e1")
    client = api.as_("ecology-1")
    for verb, body in (("acknowledge", {}), ("dispose", {"done": "mended"})):
        client.post(f"{CASES}/1/{verb}", json=body)
    asked = client.post(
        f"{CASES}/1/feedback", json={"question": "其他地方？", "regions": ["330302", "330402"]}
    )
    assert asked.status_code == 201
    assert [(case["region"], case["kind"], case["origin"]) for case in asked.json()["items"]] == [
        ("330302", "follow_up", 1),
        ("330402", "follow_up", 1),
    ]
    client.post(f"{CASES}/1/confirm", json={"verdict": "true"})
    early = client.post(f"{CASES}/1/close")
    assert (
        early.status_code == 409 and "follow-up cases are to be closed first: 2, 3" in early.json()["detail"]
    )
    for number in (2, 3):
        for verb, body in (
            ("acknowledge", {}),
            ("dispose", {"done": "looked"}),
            ("confirm", {"verdict": "false"}),
        ):
            client.post(f"{CASES}/{number}/{verb}", json=body)
        client.post(f"{CASES}/{number}/close")
    assert client.post(f"{CASES}/1/close").json()["state"] == "closed"
    assert [e["kind"] for e in client.get(f"{CASES}/1").json()["entries"]].count("answered") == 2


def test_merged_cases_are_closed_as_duplicates(api: Api) -> None:
    api.warn("e1", "e2")
    client = api.as_("ecology-1")
    merged = client.post(f"{CASES}/2/merge", json={"into": 1}).json()
    assert (merged["state"], merged["verdict"], merged["merged_into"]) == ("closed", "duplicate", 1)
    assert client.get(f"{CASES}/1").json()["entries"][-1]["detail"] == {"case": 2}
    assert client.post(f"{CASES}/2/reopen", json={"text": "no"}).status_code == 409
    assert client.post(f"{CASES}/1/merge", json={"into": 1}).status_code == 409


def test_attachments_have_a_type_a_size_and_a_number(api: Api) -> None:
    api.warn("e1")
    client = api.as_("ecology-1")
    where = f"{CASES}/1/attachments"
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    made = client.post(where, files={"file": ("../现场.png", png, "image/png")})
    assert made.status_code == 201 and made.json()["name"] == "现场.png"
    back = client.get(f"{where}/{made.json()['id']}")
    assert back.content == png and back.headers["x-content-type-options"] == "nosniff"
    assert "filename*=UTF-8''%E7%8E%B0%E5%9C%BA.png" in back.headers["content-disposition"]
    for name, content, kind, status, said in (
        ("f.png", b"<html>", "image/png", 415, "the content is not image/png"),
        ("f.html", b"x", "text/html", 415, "'text/html' is not taken"),
        ("f.txt", b"", "text/plain", 415, "empty"),
        ("f.txt", b"a" * (LARGEST + 1), "text/plain", 413, "at most"),
        ("f.txt", b"a\x00b", "text/plain", 415, "not text/plain"),
        ("f.hta", b"words", "text/plain", 415, "must end with .txt or .log"),
        ("f.svg", b"<svg/>", "text/plain", 415, "must end with .txt or .log"),
        ("f.txt", b"<svg onload=x>", "text/plain", 415, "not text/plain"),
    ):
        refused = client.post(where, files={"file": (name, content, kind)})
        assert refused.status_code == status and said in refused.json()["detail"]
    for _ in range(MOST - 1):
        assert client.post(where, files={"file": ("f.txt", b"words", "text/plain")}).status_code == 201
    assert client.post(where, files={"file": ("f.txt", b"words", "text/plain")}).status_code == 409
    assert len(client.get(f"{CASES}/1").json()["attachments"]) == MOST


def test_an_attachments_key_is_for_that_content_alone(api: Api) -> None:
    api.warn("e1")
    client, where, key = api.as_("ecology-1"), f"{CASES}/1/attachments", {"Idempotency-Key": "k"}
    one, other = ({"file": ("f.txt", words, "text/plain")} for words in (b"words", b"sword"))
    assert client.post(where, files=one, headers=key).status_code == 201
    again = client.post(where, files=one, headers=key)
    assert again.status_code == 201 and again.headers["Idempotency-Replayed"] == "true"
    assert client.post(where, files=other, headers=key).status_code == 409
    assert len(client.get(f"{CASES}/1").json()["attachments"]) == 1


@contextmanager
def speaking(api: Api, head: str) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """A connection on which the head of a request was sent."""
    host = httpx.URL(api.url)
    with (
        socket.create_connection((host.host, host.port), timeout=30) as spoken,
        spoken.makefile("rb") as heard,
    ):
        spoken.sendall(head.encode())
        yield spoken, heard


def status_of(heard: BinaryIO) -> int:
    return int(heard.readline().split()[1])


@pytest.mark.parametrize(
    "what", ["/api/v1/cases/1/comments", "/api/v1/cases/1/attachments", "/api/v1/officers"]
)
@pytest.mark.parametrize("length", ["Content-Length: 300000000", "Transfer-Encoding: chunked"])
def test_a_stranger_is_refused_before_a_byte_of_his_body(api: Api, what: str, length: str) -> None:
    head = f"POST {what} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\nAuthorization: Bearer lw_wrong\r\n\r\n"
    with speaking(api, head) as (_, heard):
        assert status_of(heard) == 401


def test_a_body_is_taken_up_to_its_length_and_not_a_byte_more(api: Api) -> None:
    api.warn("e1")
    token = api.token("ecology-1")
    known = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    for path, length in ((f"{CASES}/1/comments", MOST_BYTES), (f"{CASES}/1/attachments", LARGEST + FORM)):
        head = f"POST {path} HTTP/1.1\r\n{known}"
        with speaking(api, f"{head}Content-Length: {length + 1}\r\n\r\n") as (_, heard):
            assert status_of(heard) == 413
        with speaking(api, f"{head}Content-Length: 1x\r\n\r\n") as (_, heard):
            assert status_of(heard) in (400, 413)
    head = f"POST {CASES}/1/comments HTTP/1.1\r\n{known}Transfer-Encoding: chunked\r\n\r\n"
    with speaking(api, head) as (spoken, heard):
        chunk = b"%x\r\n%b\r\n" % (65536, b"[" * 65536)
        with suppress(OSError):
            for _ in range(64):
                spoken.sendall(chunk)
        assert status_of(heard) == 413
    said = api.as_("ecology-1").post(f"{CASES}/1/comments", json={"text": "x" * 20_000})
    assert said.status_code == 422


def _promised(path: str, token: str, length: int) -> str:
    """The head of a request whose body waits until it is asked for: by then it is known who sends it."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    kind = "multipart/form-data; boundary=b" if path.endswith("attachments") else "application/json"
    return f"{head}Content-Type: {kind}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"


@pytest.mark.parametrize("changed", ["token", "role"])
def test_a_token_that_ended_while_the_body_came_changes_nothing(api: Api, changed: str) -> None:
    api.warn("e1")
    token, body = api.token("ecology-1"), b'{"text": "words that came slowly"}'
    with speaking(api, _promised(f"{CASES}/1/comments", token, len(body))) as (spoken, heard):
        assert status_of(heard) == 100 and heard.readline() == b"\r\n"
        with api.database.writing() as session:
            officer = find(session, "ecology-1")
            if changed == "token":
                set_password(session, officer, "a new password of his", NOW)
            else:
                grants = grants_of(officer)
                take(session, root(api.desk.regions), NOW, api.desk.regions, officer, grants[0])
        spoken.sendall(body)
        assert status_of(heard) == (401 if changed == "token" else 409)
    assert "slowly" not in str(api.as_("ecology-2").get(f"{CASES}/1").json())


def test_one_accounts_files_take_nobody_else_the_place(api: Api) -> None:
    api.warn("e1")
    token, (each, _) = api.token("ecology-1"), FILES
    promised = _promised(f"{CASES}/1/attachments", token, 5_000_000)
    with ExitStack() as open_ones:
        held = [open_ones.enter_context(speaking(api, promised)) for _ in range(each.at_once)]
        assert [status_of(heard) for _, heard in held] == [100] * each.at_once
        more = [open_ones.enter_context(speaking(api, promised)) for _ in range(each.waiting + 3)]
        refused: dict[socket.socket, BinaryIO] = {}
        while len(refused) < 3:
            ready, _, _ = select.select([spoken for spoken, _ in more if spoken not in refused], [], [], 60)
            assert ready, "nobody is refused"
            refused |= {spoken: heard for spoken, heard in more if spoken in ready}
        for heard in refused.values():
            assert status_of(heard) == 429 and b"retry-after: 5" in heard.read().lower()
        words = {"file": ("f.txt", b"words", "text/plain")}
        assert api.as_("ecology-2").post(f"{CASES}/1/attachments", files=words).status_code == 201


def test_a_case_is_given_only_to_who_answers_for_it(api: Api) -> None:
    api.warn("e1")
    client = api.as_("ecology-1")
    api.officer("elsewhere", "ecology-duty", "330200")
    api.officer("looks-on", "viewer", "330000")
    for outsider in ("health-1", "elsewhere", "looks-on"):
        refused = client.post(f"{CASES}/1/reassign", json={"to": outsider})
        assert refused.status_code == 422 and "answers for no ecology-duty" in refused.json()["detail"]
    assert client.post(f"{CASES}/1/reassign", json={"to": "hangzhou-ecology-2"}).status_code == 200
    ends = (NOW + timedelta(days=2)).isoformat()
    turn = {"team": "ecology-hangzhou", "starts": NOW.isoformat(), "ends": ends}
    head = api.as_("head-1")
    refused = head.post("/api/v1/overrides", json={**turn, "officer": "health-1"})
    assert refused.status_code == 422 and refused.json()["detail"].startswith("officer: health-1 answers")
    assert head.post("/api/v1/overrides", json={**turn, "officer": "ecology-1"}).status_code == 201
    assert api.as_("health-1").get(f"{CASES}/1").status_code == 404


def test_contact_details_are_for_who_administers_all_of_somebody(api: Api) -> None:
    root = api.officer("admin-of-all", "admin", "330000")
    made = {"login": "far", "name": "远", "phone": "139", "email": "far@x.example"}
    grants = [{"role": "ecology-duty", "region": "330200"}]
    assert root.post("/api/v1/officers", json={**made, "grants": grants}).status_code == 201
    regional = api.officer("admin-of-hangzhou", "admin", "330100")
    mine = {"role": "ecology-duty", "region": "330110"}
    given = regional.post("/api/v1/officers/far/grants", json=mine)
    assert given.status_code == 200 and "phone" not in given.json() and "email" not in given.json()
    (shown,) = [each for each in regional.get("/api/v1/officers").json()["items"] if each["login"] == "far"]
    assert "139" not in str(shown) and "far@x" not in str(shown)
    (shown,) = [each for each in root.get("/api/v1/officers").json()["items"] if each["login"] == "far"]
    assert shown["phone"] == "139"


def test_a_token_of_the_api_works_in_no_address(api: Api) -> None:
    bare, whole = api.bare(), api.token("hangzhou-ecology-1")
    calendar = "/api/v1/calendar/officers/hangzhou-ecology-1.ics"
    for path in (calendar, "/api/v1/cap/index.atom", "/api/v1/cap/index.rss", CASES, "/api/v1/me"):
        for name in ("token", "access_token", "bearer"):
            assert bare.get(path, params={name: whole}).status_code == 401
    for path in (calendar, "/api/v1/cap/index.atom"):
        assert bare.get(path, headers={"Authorization": f"Bearer {whole}"}).status_code == 200


def test_changes_since_an_entry_are_those_the_bearer_may_see(api: Api) -> None:
    api.warn("hangzhou")
    api.warn("wenzhou", region="330302")
    client = api.as_("hangzhou-ecology-1")
    changes = client.get("/api/v1/changes").json()
    assert changes["cases"] == [1]
    assert client.get("/api/v1/changes", params={"since": changes["latest"]}).json()["cases"] == []
    counts = api.as_("head-1").get("/api/v1/counts").json()["items"]
    assert {(each["region"], each["level"], each["number"]) for each in counts} == {
        ("330110", "yellow", 1),
        ("330302", "yellow", 1),
    }


def test_only_administrators_make_officers_and_only_in_their_regions(api: Api) -> None:
    wanted = {"login": "new-one", "name": "新", "grants": [{"role": "ecology-duty", "region": "330302"}]}
    assert api.as_("head-1").post("/api/v1/officers", json=wanted).status_code == 403
    city = api.officer("hangzhou-admin", "admin", "330100")
    assert city.post("/api/v1/officers", json=wanted).status_code == 403
    wanted["grants"] = [{"role": "ecology-duty", "region": "330102"}]
    assert city.post("/api/v1/officers", json=wanted).status_code == 201
    assert city.post("/api/v1/officers", json=wanted).status_code == 409
    shown = {each["login"]: each for each in city.get("/api/v1/officers").json()["items"]}
    assert "phone" in shown["new-one"] and "phone" not in shown["ecology-1"]
    assert city.post("/api/v1/officers/new-one/active", json={"active": False}).json()["active"] is False
    lofty = city.post("/api/v1/officers/new-one/grants", json={"role": "admin", "region": "330000"})
    assert lofty.status_code == 403


def test_who_is_on_duty_by_api(api: Api) -> None:
    client = api.as_("linan-governance-1")
    asked = {"role": "governance-duty", "region": "330112", "at": "2026-11-25T09:00:00+08:00"}
    found = client.get("/api/v1/who", params=asked).json()
    assert (found["officer"], found["team"], found["fallback"]) == (
        "linan-governance-1",
        "governance-linan",
        False,
    )
    at_night = client.get("/api/v1/who", params={**asked, "at": "2026-11-25T22:00:00+08:00"}).json()
    assert (at_night["team"], at_night["answered_by"], at_night["fallback"]) == (
        "governance-province",
        "330000",
        True,
    )
    raw = client.get("/api/v1/who?role=governance-duty&region=330112&at=2026-11-25T09:00:00+08:00")
    assert raw.json() == found, "a plus that was not escaped is meant as one"
    assert client.get("/api/v1/who", params={**asked, "region": "999999"}).status_code == 404


def test_an_override_counts_at_once_and_is_withdrawn_not_deleted(api: Api) -> None:
    head = api.as_("head-1")
    body = {
        "team": "ecology-hangzhou",
        "officer": "ecology-1",
        "starts": NOW.isoformat(),
        "ends": (NOW + timedelta(hours=2)).isoformat(),
        "reason": "ill",
    }
    assert api.as_("hangzhou-ecology-1").post("/api/v1/overrides", json=body).status_code == 403
    made = head.post("/api/v1/overrides", json=body)
    assert made.status_code == 201
    asked = {"role": "ecology-duty", "region": "330110", "at": NOW.isoformat()}
    assert head.get("/api/v1/who", params=asked).json()["officer"] == "ecology-1"
    assert head.post(f"/api/v1/overrides/{made.json()['id']}/withdraw").json()["withdrawn_by"] == "head-1"
    assert head.get("/api/v1/who", params=asked).json()["officer"] == "hangzhou-ecology-2"
    assert head.post(f"/api/v1/overrides/{made.json()['id']}/withdraw").status_code == 409
    assert len(head.get("/api/v1/overrides").json()["items"]) == 1


def test_two_officers_swap_turns_and_a_handover_takes_the_open_cases_along(api: Api) -> None:
    api.warn("e1")
    giver = api.as_("hangzhou-ecology-2")
    giver.post(f"{CASES}/1/acknowledge")
    later = (NOW + timedelta(days=7)).isoformat()
    swapped = giver.post(
        "/api/v1/swaps", json={"team": "ecology-hangzhou", "one": NOW.isoformat(), "other": later}
    )
    assert [each["officer"] for each in swapped.json()["items"]] == [
        "hangzhou-ecology-1",
        "hangzhou-ecology-2",
    ]
    asked = {"role": "ecology-duty", "region": "330110"}
    assert giver.get("/api/v1/who", params={**asked, "at": later}).json()["officer"] == "hangzhou-ecology-2"
    assert (
        api.as_("health-1")
        .post("/api/v1/swaps", json={"team": "ecology-hangzhou", "one": NOW.isoformat(), "other": later})
        .status_code
        == 403
    )
    handed = {"team": "ecology-hangzhou", "to": "hangzhou-ecology-1", "note": "one station is off"}
    done = giver.post("/api/v1/handovers", json=handed)
    assert done.status_code == 201 and done.json()["cases"] == [1]
    case = giver.get(f"{CASES}/1").json()
    assert (case["state"], case["assignee"]) == ("new", "hangzhou-ecology-1")
    assert case["entries"][-1]["text"] == "handover: one station is off"


def test_who_answers_for_every_role_hands_over_all_he_has(api: Api) -> None:
    api.warn("e1")
    head = api.as_("head-1")
    head.post(f"{CASES}/1/reassign", json={"to": "head-1"})
    done = head.post("/api/v1/handovers", json={"team": "duty-province", "to": "head-2", "note": ""})
    assert done.json()["cases"] == [1]


def test_the_roster_as_icalendar_for_a_reader_without_headers(api: Api) -> None:
    token = api.token("hangzhou-ecology-1", "calendar")
    bare = api.bare()
    where = "/api/v1/calendar/officers/hangzhou-ecology-1.ics"
    assert bare.get(where).status_code == 401
    answer = bare.get(where, params={"token": token})
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    events = list(icalendar.Calendar.from_ical(answer.content).walk("VEVENT"))
    team = bare.get("/api/v1/calendar/teams/ecology-hangzhou.ics", params={"token": token})
    of_team = list(icalendar.Calendar.from_ical(team.content).walk("VEVENT"))
    assert 0 < len(events) < len(of_team)
    assert len({event["UID"] for event in of_team}) == len(of_team)
    assert all(event.end - event.start == timedelta(hours=9) for event in of_team)
    assert bare.get("/api/v1/calendar/teams/none.ics", params={"token": token}).status_code == 404


def test_the_database_away_is_a_503_that_asks_to_come_again(api: Api, tmp_path: Path) -> None:
    client = api.as_("ecology-1")
    object.__setattr__(api.app.state.deps, "database", Database("postgresql://duty@/x?host=/nowhere"))
    answer = client.get(CASES)
    assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
    assert "nowhere" not in answer.text


SILENCE = {
    "rules": ["ecology.pm25-high"],
    "regions": ["330100"],
    "starts": "2026-10-01T00:00:00+08:00",
    "ends": "2026-12-01T00:00:00+08:00",
    "reason": "calibration",
}


def test_silences_are_made_listed_and_ended_by_who_plans_duty_there(api: Api) -> None:
    planner = api.officer("planner", "supervisor", "330100")
    other, officer = api.officer("planner-2", "supervisor", "330200"), api.as_("hangzhou-ecology-1")
    for client in (other, officer):
        assert client.post("/api/v1/silences", json=SILENCE).status_code == 403
    made = planner.post("/api/v1/silences", json=SILENCE, headers={"Idempotency-Key": "s1"})
    assert made.status_code == 201 and made.json()["created_by"] == "planner" and made.json()["levels"] == []
    assert (
        planner.post("/api/v1/silences", json=SILENCE, headers={"Idempotency-Key": "s1"}).json()
        == made.json()
    )
    assert [each["id"] for each in officer.get("/api/v1/silences").json()["items"]] == [made.json()["id"]]
    end = f"/api/v1/silences/{made.json()['id']}/end"
    assert other.post(end).status_code == 403
    assert planner.post(end).json()["ended_by"] == "planner"
    assert (
        planner.post(end).status_code == 409 and planner.post("/api/v1/silences/999/end").status_code == 404
    )
    assert officer.get("/api/v1/silences").json() == {"items": []}
    assert len(officer.get("/api/v1/silences", params={"over": True}).json()["items"]) == 1
    for wrong in (
        {"rules": ["no.rule"]},
        {"rules": [], "regions": []},
        {"reason": " "},
        {"levels": ["pink"]},
    ):
        refused = planner.post("/api/v1/silences", json=SILENCE | wrong)
        assert refused.status_code == 422 and refused.headers["content-type"] == "application/problem+json"


def test_the_description_for_people_names_every_operation_and_fetches_nothing(api: Api) -> None:
    answer = api.bare().get("/api/v1/docs")
    document = api.bare().get("/api/v1/openapi.json").json()
    assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
    number = sum(len(methods) for methods in document["paths"].values())
    assert answer.text.count("<section id=") == number > 40
    assert all(f"<code>{path}</code>" in answer.text for path in document["paths"])
    assert not re.search(r'(src|href)="(?!#|/api/v1/openapi)', answer.text) and "<script" not in answer.text
