"""What officers see and do: their regions only, every step of a case, refusals that lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.streams.duty.console.house import House, field_of, house_open, settings_for, warning


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_open(settings_for(tmp_path_factory.mktemp("home"))) as opened:
        opened.officer("hangzhou", "ecology-duty", "330100", "杭州员")
        opened.officer("ningbo", "ecology-duty", "330200", "宁波员")
        opened.officer("linan", "ecology-duty", "330112")
        opened.officer("viewer", "viewer", "330000")
        opened.officer("head", "supervisor", "330000")
        yield opened


def act(client: httpx.Client, case: int, verb: str, **fields: str) -> httpx.Response:
    token = field_of(client.get("/rules").text, "csrf")
    return client.post(f"/cases/{case}/{verb}", data={"csrf": token, **fields})


def listed(client: httpx.Client, query: str = "whose=all") -> set[int]:
    page = client.get(f"/cases?{query}").text
    return {int(part.split('"')[0]) for part in page.split('href="/cases/')[1:]}


def test_city_and_county_officers_see_their_own_regions_only(house: House) -> None:
    linan, xiaoshan, ningbo = (
        house.warn(n, region=r) for n, r in ((1, "330112"), (2, "330109"), (3, "330203"))
    )
    for case in (linan, xiaoshan, ningbo):
        house.assign(case, "head")
    with house.visitor("hangzhou") as city, house.visitor("linan") as county, house.visitor("viewer") as all_:
        assert {linan, xiaoshan} <= listed(city) and ningbo not in listed(city)
        assert listed(county) & {linan, xiaoshan, ningbo} == {linan}
        assert {linan, xiaoshan, ningbo} <= listed(all_)
        assert county.get(f"/cases/{ningbo}").status_code == 404
        assert act(county, ningbo, "acknowledge").status_code == 404
        assert 'id="do-acknowledge"' not in all_.get(f"/cases/{linan}").text
        assert act(all_, linan, "acknowledge").status_code in (403, 404)
    assert house.stored(ningbo).state == house.stored(linan).state == "new"


def test_a_case_goes_all_its_way_by_the_buttons_of_its_page(house: House) -> None:
    case = house.warn(10, region="330102")
    house.assign(case, "hangzhou")
    with house.visitor("hangzhou") as client:
        steps = (
            ("acknowledge", {}, "acknowledged"),
            ("start", {}, "in_disposal"),
            ("dispose", {"done": "已关停施工工地 <b>三处</b>"}, "disposed"),
            ("confirm", {"verdict": "true", "text": "属实"}, "confirmed"),
            ("close", {}, "closed"),
        )
        for verb, fields, state in steps:
            assert f'id="do-{verb}"' in client.get(f"/cases/{case}").text
            answer = act(client, case, verb, **fields)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{case}")
            assert house.stored(case).state == state
        page = client.get(f"/cases/{case}").text
        assert (
            "已关停施工工地 &lt;b&gt;三处&lt;/b&gt;" in page
            and "杭州员" in page
            and "console:127.0.0.1" in page
        )
        assert act(client, case, "reopen", text="复发").status_code == 303
    assert house.stored(case).state == "new"


def test_a_refusal_says_why_and_keeps_what_was_typed(house: House) -> None:
    case = house.warn(11, region="330102")
    house.assign(case, "hangzhou")
    with house.visitor("hangzhou") as client:
        early = act(client, case, "close")
        assert early.status_code == 409 and 'role="alert"' in early.text
        act(client, case, "acknowledge")
        long = "很长" * 6000
        refused = act(client, case, "dispose", done=long)
        assert refused.status_code == 422 and long in refused.text
        assert act(client, case, "reassign", to="nobody-at-all").status_code in (404, 422)
        assert "nobody-at-all" in act(client, case, "reassign", to="nobody-at-all").text
        assert act(client, case, "merge", into="x").status_code == 422
        assert act(client, case, "merge", into=str(case)).status_code in (409, 422)
    assert house.stored(case).state == "acknowledged"


def test_comments_reassignment_merging_and_feedback(house: House) -> None:
    case, twin = house.warn(12, region="330102"), house.warn(13, region="330102")
    with house.visitor("head") as client:
        assert act(client, case, "comment", text="请速核").status_code == 303
        assert act(client, case, "reassign", to="hangzhou", text="换人").status_code == 303
        assert house.stored(case).assignee.login == "hangzhou"  # type: ignore[union-attr]
        assert act(client, twin, "merge", into=str(case)).status_code == 303
        assert f'href="/cases/{case}"' in client.get(f"/cases/{twin}").text
        for verb, fields in (("acknowledge", {}), ("start", {}), ("dispose", {"done": "x"})):
            assert act(client, case, verb, **fields).status_code == 303
        answer = act(client, case, "feedback", question="查同类工地", regions="330200")
        assert answer.status_code == 303
        page = client.get(f"/cases/{case}").text
        assert "请速核" in page and "→" in page and "查同类工地" in page


def test_lists_are_narrowed_by_their_address_and_nonsense_narrows_nothing(house: House) -> None:
    red = house.warn(20, region="330702", level="red")
    blue = house.warn(21, region="330703", level="blue", rule="ecology.pm25-daily")
    with house.visitor("viewer") as client:
        everything = {red, blue}
        assert listed(client, "whose=all&level=red") & everything == {red}
        assert listed(client, "whose=all&region=330703") & everything == {blue}
        assert listed(client, "whose=all&region=330700") & everything == everything
        assert listed(client, "whose=all&rule=ecology.pm25-daily") & everything == {blue}
        assert listed(client, "whose=all&state=closed") & everything == set()
        assert listed(client, "whose=mine") == set()
        for odd in ("level=purple", "state=x", "page=-1", "page=x", "region=%27", "page=99999999"):
            assert client.get(f"/cases?whose=all&{odd}").status_code == 200
        assert "<script>" not in client.get("/cases?whose=all&rule=<script>").text.split("<body>")[1]


def test_long_lists_come_in_pages(house: House) -> None:
    house.hear([warning(number, region="331102") for number in range(100, 155)])
    with house.visitor("viewer") as client:
        first, second = (
            listed(client, "whose=all&region=331102"),
            listed(client, "whose=all&region=331102&page=2"),
        )
        assert (len(first), len(second)) == (50, 5) and not first & second


def test_what_is_not_there_is_a_page_that_says_so(house: House) -> None:
    with house.visitor("viewer") as client:
        for path in ("/cases/999999", "/cases/0", "/cases/99999999999999999999999", "/nowhere"):
            answer = client.get(path)
            assert answer.status_code == 404 and "<h1>没有找到</h1>" in answer.text, path


def test_pages_work_while_the_warehouse_is_away_and_say_so(house: House) -> None:
    case = house.warn(30, region="330102")
    with house.visitor("head") as client:
        for path in (f"/cases/{case}", "/screen", "/health", "/indicators/ecology.x"):
            answer = client.get(path)
            assert answer.status_code == 200 and "数据仓库暂时没有应答" in answer.text, path
        assert client.get("/rules").status_code == client.get("/roster").status_code == 200


def test_every_number_of_the_screen_leads_to_the_list_it_counts(house: House) -> None:
    with house.visitor("viewer") as client:
        page = client.get("/screen").text
        for level in ("red", "orange", "yellow", "blue"):
            shown = int(page.split(f"state=open&amp;level={level}")[1].split("<b>")[1].split("</b>")[0])
            found = client.get(f"/cases?whose=all&state=open&level={level}").text
            assert f"共 {shown} 件" in found, level
        tile = page.split("region=330100")[1].split("</a>")[0]
        shown = int(tile.split('class="n"')[1].split(">")[1].split("<")[0])
        assert f"共 {shown} 件" in client.get("/cases?whose=all&state=open&region=330100").text


def test_the_roster_shows_the_week_with_holidays_and_holes(house: House) -> None:
    with house.visitor("viewer") as client:
        page = client.get("/roster?week=2025-10-01").text
        assert "2025-09-29" in page and "节假日" in page and "省生态环境值班员" in page
        assert "调休上班" in client.get("/roster?week=2025-09-28").text
        assert client.get("/roster?week=nonsense").status_code == 200


def test_the_rules_show_state_and_quality(house: House) -> None:
    case = house.warn(40, rule="governance.request-surge", role="governance-duty", region="330102")
    with house.visitor("head") as client:
        for verb, fields in (
            ("acknowledge", {}),
            ("start", {}),
            ("dispose", {"done": "x"}),
            ("confirm", {"verdict": "false"}),
        ):
            assert act(client, case, verb, **fields).status_code == 303
        row = client.get("/rules").text.split("群众诉求一小时内激增")[1].split("</tr>")[0]
        assert "verdict=false" in row and "0%" in row


def test_files_are_attached_and_only_ever_saved_never_shown(house: House) -> None:
    case = house.warn(50, region="330102")
    house.assign(case, "hangzhou")
    image = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    with house.visitor("hangzhou") as client, house.visitor("ningbo") as stranger:
        token = field_of(client.get(f"/cases/{case}").text, "csrf")

        def attach(name: str, kind: str, content: bytes) -> httpx.Response:
            files = {"file": (name, content, kind)}
            return client.post(f"/cases/{case}/attach", data={"csrf": token}, files=files)

        assert attach("现场 照片.png", "image/png", image).status_code == 303
        page = client.get(f"/cases/{case}").text
        address = page.split(f'href="/cases/{case}/attachments/')[1].split('"')[0]
        file = client.get(f"/cases/{case}/attachments/{address}")
        assert file.content == image and file.headers["content-type"] == "image/png"
        assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E7%8E%B0")
        assert "sandbox" in file.headers["content-security-policy"]
        assert stranger.get(f"/cases/{case}/attachments/{address}").status_code == 404
        assert attach("page.html", "text/html", b"<script>").status_code == 415
        assert attach("fake.png", "image/png", b"<script>").status_code == 415
        assert attach("", "image/png", image).status_code in (415, 422)
        assert attach("large.png", "image/png", image + b"x" * 10_485_760).status_code == 413


def test_what_is_overdue_and_what_was_false_can_be_listed(house: House) -> None:
    case = house.warn(51, region="330402", level="red")
    with house.visitor("head") as client:
        assert case not in listed(client, "whose=all&state=overdue&region=330402")
        house.clock.ahead += timedelta(hours=1)
        assert case in listed(client, "whose=all&state=overdue&region=330402")
        assert "超时" in client.get("/cases?whose=all&region=330402").text
        for verb, fields in (
            ("acknowledge", {}),
            ("dispose", {"done": "x"}),
            ("confirm", {"verdict": "false"}),
        ):
            assert act(client, case, verb, **fields).status_code == 303
        assert case in listed(client, "whose=all&state=any&verdict=false&region=330402")
        assert case not in listed(client, "whose=all&state=any&verdict=true&region=330402")


def own(house: House) -> dict[str, str]:
    return {"origin": house.address}


def test_a_form_sent_after_the_session_ended_is_kept_and_only_for_this_origin(house: House) -> None:
    case = house.warn(60, region="330102")
    with house.visitor() as client:
        typed = {"done": "现场<b>已</b>处置", "csrf": "old"}
        page = client.post(f"/cases/{case}/dispose", data=typed, headers=own(house))
        assert page.status_code == 403 and "现场&lt;b&gt;已&lt;/b&gt;处置" in page.text
        assert f'action="/cases/{case}/dispose"' in page.text and "<b>" not in page.text
        assert f"/sign-in?next=/cases/{case}" in page.text
        program = client.post(f"/cases/{case}/dispose", data=typed)
        assert (program.status_code, program.headers["location"]) == (303, f"/sign-in?next=/cases/{case}")
        foreign = client.post(
            f"/cases/{case}/dispose", data=typed, headers={"origin": "https://evil.example"}
        )
        assert foreign.status_code == 403 and "现场" not in foreign.text
        nothing = client.post(f"/cases/{case}/acknowledge", data={"csrf": "old"}, headers=own(house))
        assert nothing.headers["location"] == f"/sign-in?next=/cases/{case}", "there is nothing to keep"


def test_a_form_of_an_older_session_is_sent_once_more_with_the_new_ones_token(house: House) -> None:
    case = house.warn(61, region="330102")
    house.assign(case, "hangzhou")
    with house.visitor("hangzhou") as client:
        given = {"text": "先前写的", "csrf": "of a session before"}
        page = client.post(f"/cases/{case}/comment", data=given, headers=own(house))
        assert page.status_code == 403 and "先前写的" in page.text
        again = {"text": "先前写的", "csrf": field_of(page.text, "csrf")}
        assert client.post(f"/cases/{case}/comment", data=again, headers=own(house)).status_code == 303
        assert "先前写的" in client.get(f"/cases/{case}").text
        assert client.post(f"/cases/{case}/comment", data=given).status_code == 403


def test_while_the_database_is_away_what_was_typed_is_kept_and_the_service_lives(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house, house.visitor("admin", _password(house)) as client:
        case = house.warn(1)
        token = field_of(client.get(f"/cases/{case}").text, "csrf")
        file = tmp_path / "duty" / "duty.sqlite"
        house.console.deps.database.engine.dispose()
        away = file.rename(file.with_suffix(".away"))
        file.mkdir()
        sent = {"text": "写到一半", "csrf": token}
        page = client.post(f"/cases/{case}/comment", data=sent, headers=own(house))
        assert page.status_code == 503 and "写到一半" in page.text and "值班数据库暂时没有应答" in page.text
        for path in ("/cases", "/healthz", "/events"):
            away_said = client.get(path)
            assert away_said.status_code == 503 and str(tmp_path) not in away_said.text, path
        assert client.get("/healthz").json() == {"status": "unwell"}
        file.rmdir()
        away.rename(file)
        assert client.post(f"/cases/{case}/comment", data=sent, headers=own(house)).status_code == 303


def _password(house: House) -> str:
    return house.settings.console_admin_password


def test_whatever_a_warning_says_is_text_on_every_page(house: House) -> None:
    bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
    case = house.warn(62, region="330102", title=bad, subject=bad, rule=bad, level="red")
    with house.visitor("head") as client:
        assert act(client, case, "comment", text=bad).status_code == 303
        for path in (
            f"/cases/{case}",
            "/cases?whose=all",
            "/screen",
            "/rules",
            f"/cases?whose=all&rule={bad}",
        ):
            page = client.get(path).text
            assert "<script>alert" not in page and "<img" not in page
        assert "&lt;script&gt;alert(1)" in client.get(f"/cases/{case}").text


def test_names_of_files_lead_nowhere(house: House) -> None:
    case = house.warn(63, region="330102")
    house.assign(case, "hangzhou")
    image = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    with house.visitor("hangzhou") as client:
        token = field_of(client.get(f"/cases/{case}").text, "csrf")
        for name in ("../../etc/passwd.png", "..\\..\\x.png", "a\r\nX-Bad: 1.png", "<svg onload=x>.png"):
            files = {"file": (name, image, "image/png")}
            answer = client.post(f"/cases/{case}/attach", data={"csrf": token}, files=files)
            assert answer.status_code in (303, 415, 422), name
        page = client.get(f"/cases/{case}").text
        assert "<svg onload" not in page
        for part in page.split(f'href="/cases/{case}/attachments/')[1:]:
            file = client.get(f"/cases/{case}/attachments/{part.split(chr(34))[0]}")
            assert file.content == image and "x-bad" not in file.headers
            assert "/" not in file.headers["content-disposition"].partition("''")[2]
        for path in ("../1", "%2e%2e%2f1", "1/../../2"):
            assert client.get(f"/cases/{case}/attachments/{path}").status_code in (303, 404)
