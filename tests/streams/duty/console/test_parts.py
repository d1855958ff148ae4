"""What the console computes before it shows anything: tiles, charts, limits, locks, weeks, names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from schemas.errors import Misdeclared
from schemas.regions import load_regions
from streams.console.access import local_path
from streams.console.chart import LABEL_HEIGHT, Series, draw, number, round_ticks, time_ticks
from streams.console.duties import week_of
from streams.console.facts import Figure, Standing
from streams.console.forms import form_of
from streams.console.i18n import load_words
from streams.console.ruling import length
from streams.console.screen import short, tile_views, totals
from streams.console.tiles import TILES, load_tiles
from streams.console.views import Naming
from streams.duty.accounts.limits import Limit, Limiter
from streams.duty.cases.queries import Count

REGIONS = load_regions()
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_every_city_and_county_has_a_tile_of_its_own_beside_its_city() -> None:
    tiles = load_tiles(REGIONS)
    assert len(tiles) == 101 and len({(tile.column, tile.row) for tile in tiles}) == 101
    for city in REGIONS.cities:
        block = [t for t in tiles if (REGIONS.city_of(t.region.code) or city) == city]
        block = [t for t in block if t.region.code == city.code or t.region.parent == city.code]
        for tile in block:
            near = min(
                abs(tile.column - other.column) + abs(tile.row - other.row)
                for other in block
                if other != tile
            )
            assert near <= 2, f"{tile.region.name} stands apart from {city.name}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("330102,", "330199,"), "330199: is no city or county"),
        (lambda text: text.replace("330100,4,3", "330100,5,3"), "stands where"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "331181: each city and county"),
        (lambda text: text.replace("330100,4,3", "330100,x,3"), "330100: column and row"),
        (lambda text: text.replace("code,", "kode,"), "header: must be"),
    ],
)
def test_a_wrong_layout_is_misdeclared(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    path = tmp_path / "tiles.csv"
    path.write_text(change(TILES.read_text()), encoding="utf-8")
    with pytest.raises(Misdeclared, match=said):
        load_tiles(REGIONS, path)


def test_a_citys_tile_counts_its_counties_and_shows_the_gravest_level() -> None:
    counts = [
        Count("330102", "blue", "new", 2),
        Count("330105", "red", "acknowledged", 1),
        Count("330100", "yellow", "new", 1),
        Count("", "orange", "new", 1),
    ]
    views = {view.code: view for view in tile_views(load_tiles(REGIONS), counts, REGIONS, english=False)}
    assert (views["330100"].open, views["330100"].level) == (4, "red")
    assert (views["330102"].open, views["330102"].level) == (2, "blue")
    assert (views["330106"].open, views["330106"].level) == (0, "")
    levels, states = totals(counts)
    assert levels == {"red": 1, "orange": 1, "yellow": 1, "blue": 2}
    assert states["new"] == 4 and states["acknowledged"] == 1 and states["disposed"] == 0


def test_names_fit_on_tiles() -> None:
    assert short("景宁畲族自治县", False) == "景宁" and short("西湖区", False) == "西湖"
    assert all(len(short(tile.region.name, False)) <= 4 for tile in load_tiles(REGIONS))
    assert all(len(short(tile.region.name_en, True)) <= 9 for tile in load_tiles(REGIONS))


def test_a_chart_draws_values_bounds_and_the_moment_to_scale() -> None:
    start = NOW.timestamp()
    series = Series(
        tuple((start + 3600 * n, float(value)) for n, value in enumerate((0, 100, 200, 50))),
        (("red", 180.0), ("blue", 80.0)),
        ((start + 7200, "opened"),),
    )
    chart = draw(series)
    assert chart is not None
    xs, ys = [dot.x for dot in chart.dots], [dot.y for dot in chart.dots]
    assert xs[0] == chart.left and xs[-1] == chart.right and xs == sorted(xs)
    assert ys[0] == chart.bottom and ys[2] == chart.top < ys[1] < ys[3] < ys[0]
    assert ys[1] == pytest.approx((ys[0] + ys[2]) / 2, abs=0.2)
    assert [dot.over for dot in chart.dots] == ["", "blue", "red", ""]
    assert chart.marks[0].at == xs[2] and [line.level for line in chart.bounds] == ["red", "blue"]
    assert chart.dots[0].at == "2026-03-01 16:00"


@given(st.lists(st.floats(0, 500), min_size=1, max_size=6))
def test_labels_of_bounds_stand_apart_however_near_the_bounds_are(bounds: list[float]) -> None:
    chart = draw(Series(((0.0, 0.0), (60.0, 500.0)), tuple(("red", bound) for bound in bounds)))
    assert chart is not None and len(chart.bounds) == len(bounds)
    places = sorted(line.label_at for line in chart.bounds)
    assert all(b - a >= LABEL_HEIGHT - 1e-6 for a, b in pairwise(places))
    assert places[-1] <= chart.bottom


def test_a_rule_that_warns_below_its_bound_marks_what_is_below() -> None:
    series = Series(((0.0, 5.0), (60.0, 15.0)), (("red", 6.0), ("blue", 12.0)), below=True)
    chart = draw(series)
    assert chart is not None and [dot.over for dot in chart.dots] == ["red", ""]


def test_nothing_to_draw_is_no_chart_and_one_value_is_one() -> None:
    assert draw(Series(())) is None
    chart = draw(Series(((0.0, 0.0),)))
    assert chart is not None and chart.left < chart.dots[0].x < chart.right


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_are_few_and_cover_the_values(low: float, span: float) -> None:
    ticks = round_ticks(low, low + span)
    slack = 1e-6 * max(1.0, abs(low) + span)
    assert 2 <= len(ticks) <= 8 and ticks[0] <= low + slack and low + span <= ticks[-1] + slack


@given(st.integers(0, 2_000_000_000), st.integers(60, 400 * 86400))
def test_time_ticks_lie_in_the_span(first: int, span: int) -> None:
    ticks = time_ticks(first, first + span)
    assert all(first <= at <= first + span for at, _ in ticks) and len(ticks) <= 8


def test_numbers_have_no_needless_digits() -> None:
    assert [number(v) for v in (3.0, 160.5, 0.12344, 12345.67)] == ["3", "160.5", "0.1234", "12,345.7"]
    assert [length(v) for v in (86400 * 3, 21600, 90, 5400)] == ["3 d", "6 h", "90 s", "90 min"]


def test_a_limit_lets_a_burst_pass_and_then_so_many_a_minute() -> None:
    limiter = Limiter(Limit(burst=3, per_minute=6))
    assert [limiter.wait("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait("a", 0.0) == pytest.approx(10)
    assert limiter.wait("b", 0.0) == 0
    assert limiter.wait("a", 9.9) > 0 and limiter.wait("a", 10.0) == 0
    assert limiter.until("a", 10.0) == pytest.approx(10) and limiter.until("never seen", 10.0) == 0
    assert [limiter.until("a", 20.0), limiter.wait("a", 20.0)] == [0, 0], "to ask takes none"
    assert set(limiter._buckets) == {"a", "b"}


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("abcdef")), max_size=200), st.randoms())
def test_a_limiter_never_lets_more_pass_and_never_grows(steps: list[tuple[float, str]], _: Random) -> None:
    limit, now, passed = Limit(burst=2, per_minute=60), 0.0, dict.fromkeys("abcdef", 0)
    limiter = Limiter(limit, keys=1000)
    for pause, key in steps:
        now += pause
        passed[key] += limiter.wait(key, now) == 0
    assert all(number <= limit.burst + now * limit.per_minute / 60 + 1e-6 for number in passed.values())


def test_a_limiter_forgets_under_a_flood_of_keys() -> None:
    limiter = Limiter(Limit(1, 1), keys=100)
    for key in range(10_000):
        limiter.wait(str(key), 0.0)
    assert len(limiter._buckets) <= 101


def test_a_week_begins_on_monday_and_nonsense_is_this_week() -> None:
    today = date(2026, 3, 4)
    assert week_of("2026-03-01", today) == date(2026, 2, 23)
    for text in ("", "x", "0001-01-01", "9999-12-31", "2026-02-30"):
        assert week_of(text, today) == date(2026, 3, 2)


@pytest.mark.parametrize(
    "there",
    [
        "https://x.example",
        "//x.example",
        "/\\x.example",
        "\\\\x",
        "javascript:alert(1)",
        "x",
        "",
        "/a\nb",
        "///x",
    ],
)
def test_nobody_is_sent_elsewhere(there: str) -> None:
    assert local_path(there) == "/"


def test_paths_of_the_console_are_followed() -> None:
    assert local_path("/cases?level=red&region=330100") == "/cases?level=red&region=330100"


@pytest.mark.parametrize("higher", [True, False])
def test_a_target_is_reached_from_above_or_below_after_rounding(higher: bool) -> None:
    near = 94.96 if higher else 95.04
    figures = (Figure("330100", near, ""), Figure("330200", 96.0, ""), Figure("330300", 12.0, ""))
    figures += (Figure("330400", None, ""),)
    standing = Standing("i", "指标", "", "%", higher, 1, 95.0, date(2026, 3, 1), 95.0, figures)
    assert standing.reached == 2 and standing.reaches(near) is True
    assert standing.reaches(None) is None and standing.reaches(95.0) is True
    ordered = [figure.region for figure in standing.ordered()]
    assert ordered[-1] == "330400" and ordered[0] == ("330200" if higher else "330300")


def test_subjects_are_told_with_the_names_of_their_regions() -> None:
    words = load_words()
    chinese, english = (Naming(words[name], REGIONS, {}) for name in ("zh", "en"))
    assert chinese.subject("330300|tuberculosis") == "温州市 · tuberculosis"
    assert english.subject("330328") == english.region("330328") == "Wencheng, Wenzhou"
    assert chinese.subject("330603B") == "330603B" and chinese.subject("") == "–"


def test_a_form_whose_sender_goes_away_is_his_end_not_an_error_of_ours() -> None:
    coming: list[dict[str, object]] = [
        {"type": "http.request", "body": b"login=w", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, object]:
        return coming.pop(0)

    async def take() -> None:
        kind = (b"content-type", b"application/x-www-form-urlencoded")
        scope = {"type": "http", "method": "POST", "path": "/sign-in", "headers": [kind]}
        async with form_of(Request(scope, receive), max_files=0, max_fields=10):
            raise AssertionError("it never came whole")

    with pytest.raises(HTTPException) as refused:
        asyncio.run(take())
    assert refused.value.status_code == 408
