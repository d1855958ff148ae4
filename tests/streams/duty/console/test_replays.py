"""Warnings of replays stand on a page of their own, in both languages, for who may see cases of their region."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from streams.duty.cases import opening
from tests.streams.duty.console.house import House, house_open, settings_for, warning
from tests.streams.duty.console.test_browser import window

OLD = "省气象局 2014&<b>"
SIZES = ({"width": 360, "height": 740}, {"width": 1440, "height": 900})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_open(settings_for(tmp_path_factory.mktemp("home"))) as opened:
        opened.officer("hangzhou", "ecology-duty", "330100", "杭州员")
        opened.officer("ningbo", "ecology-duty", "330200", "宁波员")
        levels = ("red", "orange", "yellow", "blue")
        events = [
            warning(
                n,
                timeline=OLD,
                region="330110",
                level=levels[n % 4],
                at=f"2014-03-{n % 28 + 1:02}T08:00:00+08:00",
            )
            for n in range(60)
        ]
        with opened.console.deps.database.writing() as session:
            opening.hear(session, opened.console.deps.desk(), opened.clock(), events, dry={OLD})
        opened.hear([warning(100, timeline="drill", region="330110", level="red")])
        yield opened


def test_a_replay_is_listed_and_its_warnings_behind_it(house: House) -> None:
    with house.visitor("hangzhou") as client:
        page = client.get("/replays").text
        assert "省气象局 2014&amp;&lt;b&gt;" in page and "<b>60" not in page and ">60<" in page
        address = page.split('<th scope="row"><a href="')[1].split('"')[0].replace("&amp;", "&")
        first, second = client.get(address).text, client.get(f"{address}&page=2").text
        assert (first.count('class="l-'), second.count('class="l-')) == (50, 10)
        assert "回放" in first and "2014-03-01" in first
        assert "/cases/" not in first.split("<main")[1], "there is no case behind them"
        assert client.get("/replays?timeline=nothing&page=x").status_code == 200


def test_who_may_not_see_a_regions_cases_sees_no_replay_of_it(house: House) -> None:
    with house.visitor("ningbo") as client:
        assert "没有回放预警" in client.get("/replays").text
    with house.visitor() as client:
        assert client.get("/replays", follow_redirects=False).status_code in (302, 303)


def test_no_case_comes_of_it_and_a_drills_case_is_marked(house: House) -> None:
    with house.visitor("hangzhou") as client:
        cases = client.get("/cases?whose=all&state=any").text
        assert cases.count('class="l-') == 1 and 'class="replay"' in cases
        assert "drill" in client.get(f"/cases/{house.case('episode-100')}").text
        screen = client.get("/screen").text
        assert screen.count("2014") == 0


def test_a_drill_does_not_count_on_the_screen_and_has_one_of_its_own(house: House) -> None:
    with house.visitor("hangzhou") as client:

        def reds(address: str) -> str:
            page = client.get(address).text
            return page.split("state=open&amp;level=red")[1].split("<b>")[1].split("</b>")[0]

        assert (reds("/screen"), reds("/screen?drill=yes")) == ("0", "1")
        screen, drills = client.get("/screen").text, client.get("/screen?drill=yes").text
        assert "另有演练和回放 1 件，未计入" in screen and 'href="/screen?drill=yes"' in screen
        assert "当前显示演练和回放" in drills and "实际案件：0 件" in drills
        assert "共 1 件" in client.get("/cases?whose=all&state=open&level=red&drill=yes").text
        assert "共 0 件" in client.get("/cases?whose=all&state=open&level=red&drill=no").text


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_nothing_is_clipped_from_phone_to_desk(
    browser: Browser, house: House, tmp_path: Path, language: str
) -> None:
    for size in SIZES:
        with window(browser, house, size, "hangzhou", language) as page:
            for name, address in (
                ("all", "/replays"),
                ("one", f"/replays?timeline={OLD.replace('&', '%26')}"),
            ):
                page.goto(address)
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= size["width"], f"{address} at {size['width']}"
                page.screenshot(path=tmp_path / f"{name}-{size['width']}-{language}.png", full_page=True)
            page.goto("/cases?whose=all")
            page.screenshot(path=tmp_path / f"cases-{size['width']}-{language}.png")
