"""The console in a real browser: on the phone, by keyboard, in two windows at once, from its own origin only.

Screenshots of every page are left in the test's temporary folder, to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.streams.duty.console.conftest import PATIENCE_MS
from tests.streams.duty.console.house import PASSWORD, House, house_open, settings_for, until
from tests.streams.duty.console.test_acknowledge import link

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
WALL = {"width": 1920, "height": 1080}


@pytest.fixture(scope="module", autouse=True)
def officers(house: House) -> None:
    house.officer("zhang", "ecology-duty", "330100", "张三")
    house.officer("head", "supervisor", "330000", "省值班长")
    house.hear_some()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots")


@contextmanager
def window(
    browser: Browser,
    house: House,
    size: dict[str, int],
    login: str = "",
    language: str = "zh-CN",
    script: bool = True,
) -> Iterator[Page]:
    """A window with cookies of its own; fails where the page asked anybody but the console, or had an error."""
    context: BrowserContext = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        locale=language,
        base_url=house.address,
        has_touch=size == PHONE,
        java_script_enabled=script,
    )
    context.set_default_timeout(PATIENCE_MS)
    asked: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    if login:
        token = house.console.deps.accounts.sign_in(login, PASSWORD, house.clock())
        context.add_cookies([{"name": house.console.deps.cookie, "value": token, "url": house.address}])
    try:
        yield page
        own = urlsplit(house.address).netloc
        assert asked and [url for url in asked if urlsplit(url).netloc != own] == []
        assert faults == []
    finally:
        context.close()


def case_of(house: House, number: int, **how: str) -> int:
    case = house.warn(number, region="330102", **how)
    house.assign(case, "zhang")
    return case


def test_sign_in_and_acknowledge_on_a_phone(browser: Browser, house: House, shots: Path) -> None:
    case = case_of(house, 501)
    with window(browser, house, PHONE) as page:
        page.goto("/cases")
        expect(page.get_by_role("heading", level=1)).to_contain_text("登录")
        page.screenshot(path=shots / "phone-sign-in.png")
        page.get_by_label("账号").fill("zhang")
        page.get_by_label("密码").fill("not the password")
        page.get_by_role("button", name="登录").tap()
        expect(page.get_by_role("alert")).to_contain_text("不正确")
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录").tap()
        page.wait_for_url(f"{house.address}/cases")
        page.get_by_role("link", name=f"#{case} ").tap()
        page.screenshot(path=shots / "phone-case.png", full_page=True)
        button = page.get_by_role("button", name="签收")
        box = button.bounding_box()
        assert box is not None and box["height"] >= 44 and box["y"] + box["height"] < PHONE["height"]
        button.tap()
        expect(page.locator("#head")).to_contain_text("已签收")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert house.stored(case).state == "acknowledged"


def test_a_second_window_changes_without_a_reload(browser: Browser, house: House, shots: Path) -> None:
    case = case_of(house, 502)
    with (
        window(browser, house, DESK, "zhang") as mine,
        window(browser, house, DESK, "head") as other,
        window(browser, house, WALL, "head") as wall,
    ):
        other.goto(f"/cases/{case}")
        wall.goto("/screen")
        for page in (other, wall):
            page.evaluate("window.same = true")
            expect(page.locator("#live-state")).to_have_text("实时")
        yellow = wall.locator(".levels a.yellow b")
        before = int(yellow.inner_text())
        mine.goto(f"/cases/{case}")
        mine.get_by_role("button", name="签收").click()
        expect(other.locator("#head")).to_contain_text("已签收")
        mine.get_by_label("处置情况").fill("已到场处置")
        mine.get_by_role("button", name="处置完成").click()
        expect(other.locator("#timeline")).to_contain_text("已到场处置")
        house.warn(503, region="330102")
        expect(yellow).to_have_text(str(before + 1))
        expect(wall.locator("#announce")).to_have_text("页面内容已更新")
        assert other.evaluate("window.same") and wall.evaluate("window.same"), "no reload"
        other.screenshot(path=shots / "case-live.png", full_page=True)
    assert house.stored(case).state == "disposed"


def test_news_never_takes_away_what_is_being_typed(browser: Browser, house: House) -> None:
    case = case_of(house, 504)
    with window(browser, house, DESK, "zhang") as page:
        page.goto(f"/cases/{case}")
        page.get_by_role("button", name="签收").click()
        expect(page.locator("#live-state")).to_have_text("实时")
        page.get_by_label("处置情况").fill("写到一半")
        house.warn(504, kind="raised", level="red", ordinal="1", region="330102")
        expect(page.locator("#timeline")).to_contain_text("预警升级")
        expect(page.get_by_label("处置情况")).to_have_value("写到一半")
        page.get_by_role("button", name="处置完成").click()
        expect(page.locator("#timeline")).to_contain_text("写到一半")


def test_a_whole_case_by_keyboard_alone(browser: Browser, house: House) -> None:
    case = case_of(house, 505)
    with window(browser, house, DESK, language="en-US") as page:
        page.goto(f"/cases/{case}")
        expect(page.locator("#login")).to_be_focused()  # autofocus comes with a frame of its own, after load
        page.keyboard.type("zhang")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{house.address}/cases/{case}")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        page.keyboard.press("Enter")
        reach(page, "#do-acknowledge")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "focus is to be seen"
        page.keyboard.press("Enter")
        expect(page.locator("#head")).to_contain_text("Acknowledged")
        reach(page, "#done")
        page.keyboard.type("done by keyboard")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#head")).to_contain_text("Disposed")
    assert house.stored(case).state == "disposed"


def reach(page: Page, wanted: str, most: int = 60) -> None:
    """Press Tab until something has the focus."""
    for _ in range(most):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached by Tab")


def test_the_language_is_switched_and_stays(browser: Browser, house: House) -> None:
    with window(browser, house, DESK, "zhang") as page:
        page.goto("/rules")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        page.get_by_role("link", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        assert page.url.endswith("/rules")
        page.get_by_role("link", name="One screen").click()
        expect(page.get_by_role("heading", name="Warnings by region")).to_be_visible()


def test_a_link_in_a_push_is_one_tap(browser: Browser, house: House, shots: Path) -> None:
    case = case_of(house, 506)
    with window(browser, house, PHONE) as page:
        page.goto(link(house, case))
        assert house.stored(case).state == "new"
        page.screenshot(path=shots / "phone-link.png")
        page.get_by_role("button", name="签收").tap()
        expect(page.get_by_role("status")).to_contain_text("张三")
    assert house.stored(case).state == "acknowledged"


def test_everything_works_without_script(browser: Browser, house: House) -> None:
    case = case_of(house, 507)
    with window(browser, house, PHONE, "zhang", script=False) as page:
        page.goto(f"/cases/{case}")
        page.get_by_role("button", name="签收").tap()
        expect(page.locator("#head")).to_contain_text("已签收")


def test_the_screen_fits_a_wall_and_its_tiles_lead_to_their_lists(
    browser: Browser, house: House, shots: Path
) -> None:
    with window(browser, house, WALL, "head") as page:
        page.goto("/screen")
        page.screenshot(path=shots / "wall.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= WALL["width"]
        box = page.locator("#map").bounding_box()
        assert box is not None and box["y"] + box["height"] <= WALL["height"]
        assert page.locator(".tiles a").count() == 101
        size = page.locator(".tiles text").first.evaluate("t => t.getBoundingClientRect().height")
        assert size >= 14, "readable on a wall"
        page.locator(".tiles a").filter(has_text="杭州市").click()
        expect(page.locator("#f-region")).to_have_value("330100")


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_every_page_is_sound_and_has_its_picture(
    browser: Browser, house: House, shots: Path, language: str
) -> None:
    case = case_of(house, 600 + len(language) + (language == "en-US"))
    pages = (
        "/cases?whose=all",
        f"/cases/{case}",
        "/screen",
        "/roster",
        "/rules",
        "/health",
        "/metrics",
        "/cases/999999",
    )
    with window(browser, house, DESK, "head", language) as page:
        for path in (*pages, "/cases/999999"):
            page.goto(path)
            assert unsound(page) == [], path
            name = path.strip("/").split("?")[0].replace("/", "-")
            page.screenshot(path=shots / f"{language}-{name}.png", full_page=True)
        assert page.evaluate("document.fonts.check('16px \"Noto Sans CJK SC\"', '瞭望')")


@pytest.mark.parametrize(("language", "size"), [("zh-CN", DESK), ("en-US", PHONE)])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, house: House, language: str, size: dict[str, int]
) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, a package for tests")
    case = case_of(house, 620 + size["width"])
    pages = ("/cases?whose=all", f"/cases/{case}", "/screen", "/roster", "/rules", "/health", "/metrics")
    with window(browser, house, size, "head", language) as page:
        for path in (*pages, "/cases/999999"):
            page.goto(path)
            assert axe(page) == [], path
            assert page.evaluate(WIDER) == [], path
        page.context.clear_cookies()
        page.goto("/sign-in")
        assert axe(page) == []


WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")]
    .filter(each => !each.closest(".scroll") && each.getBoundingClientRect().right > innerWidth)
    .map(each => each.outerHTML.slice(0, 120))"""


def axe(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA and good practice, with everything unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: list[str] = page.evaluate(
        """async tags => (await axe.run(document, {runOnly: tags})).violations.map(
            each => `${each.id}: ${each.nodes.map(node => node.html).join(" ")}`)""",
        tags,
    )
    return found


def test_nothing_typed_is_lost_when_the_session_ended_meanwhile(browser: Browser, house: House) -> None:
    case = case_of(house, 510)
    with window(browser, house, DESK, "zhang") as page:
        page.goto(f"/cases/{case}")
        page.get_by_role("button", name="签收").click()
        expect(page.locator("#live-state")).to_have_text("实时")
        page.get_by_label("处置情况").fill("现场<b>已</b>处置")
        page.context.clear_cookies()
        house.warn(510, kind="raised", level="red", ordinal="1", region="330102")
        expect(page.locator("#live-state")).to_contain_text("登录已过期")
        expect(page.get_by_label("处置情况")).to_have_value("现场<b>已</b>处置")
        page.get_by_role("button", name="处置完成").click()
        expect(page.get_by_role("alert")).to_contain_text("尚未提交")
        with page.expect_popup() as opened:
            page.get_by_role("link", name="在新标签页登录").click()
        other = opened.value
        other.get_by_label("账号").fill("zhang")
        other.get_by_label("密码").fill(PASSWORD)
        other.get_by_role("button", name="登录").click()
        other.wait_for_url(f"{house.address}/cases/{case}")
        page.get_by_role("button", name="再次提交").click()
        expect(page.get_by_role("alert")).to_contain_text("重新登录")
        page.get_by_role("button", name="再次提交").click()
        expect(page.locator("#timeline")).to_contain_text("现场<b>已</b>处置")
    assert house.stored(case).state == "disposed"


CHECKS = """() => {
  const found = [];
  const seen = new Set();
  for (const node of document.querySelectorAll("[id]")) {
    if (seen.has(node.id)) found.push("twice: #" + node.id);
    seen.add(node.id);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!field.labels.length && !field.ariaLabel) found.push("no label: " + field.outerHTML);
  for (const node of document.querySelectorAll("a, button"))
    if (!(node.ariaLabel || node.textContent.trim())) found.push("no name: " + node.outerHTML);
  for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (node.getAttribute("aria-labelledby") || node.getAttribute("aria-describedby")).split(" "))
      if (!document.getElementById(id)) found.push("no such id: " + id);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (!document.documentElement.lang || !document.title.trim()) found.push("no lang or title");
  if (!document.querySelector("main") || !document.querySelector("header")) found.push("no landmarks");
  if (document.querySelector("[style], script:not([src]), [onclick]")) found.push("inline style or script");
  for (const table of document.querySelectorAll("table"))
    if (!table.querySelector("th")) found.push("table without heads");
  for (const level of document.querySelectorAll(".level"))
    if (!level.textContent.trim() || !level.querySelector("svg path")) found.push("a level by colour only");
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
  return found;
}"""


def unsound(page: Page) -> list[str]:
    """What a screen reader, a keyboard or a strict policy would stumble on."""
    found: list[str] = page.evaluate(CHECKS)
    return found


def test_a_session_that_ended_leads_to_sign_in(browser: Browser, house: House) -> None:
    with window(browser, house, DESK, "zhang") as page:
        page.goto("/cases")
        expect(page.locator("#live-state")).to_have_text("实时")
        wait_until_listening(house)
        page.context.clear_cookies()
        house.warn(508, region="330102")
        page.wait_for_url(lambda url: urlsplit(url).path == "/sign-in")


@pytest.fixture
def windows() -> Iterator[ExitStack]:
    """Windows that outlive a console."""
    with ExitStack() as stack:
        yield stack


def test_open_pages_find_a_console_that_was_restarted(
    browser: Browser, tmp_path: Path, windows: ExitStack
) -> None:
    settings = settings_for(tmp_path)
    with house_open(settings) as first:
        first.officer("head", "supervisor", "330000")
        case = first.warn(1, region="330102")
        page = windows.enter_context(window(browser, first, DESK, "head"))
        page.goto(f"/cases/{case}")
        page.evaluate("window.same = true")
        expect(page.locator("#live-state")).to_have_text("实时")
    expect(page.locator("#live-state")).to_have_text("未连接")
    with house_open(settings) as second:
        second.warn(1, kind="raised", level="red", ordinal="1", region="330102")
        expect(page.locator("#live-state")).to_have_text("实时")
        expect(page.locator("#timeline")).to_contain_text("预警升级")
        assert page.evaluate("window.same"), "no reload"
        windows.close()


def wait_until_listening(house: House) -> None:
    until(lambda: house.console.deps.hub.listening > 0)
