"""A publication of rankings: order, rises and falls, a page that needs nothing from elsewhere."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dagster_project.charts import Bar, Slope, Span, slopes, spans, stacked
from dagster_project.ranking.page import contents, html, table
from dagster_project.ranking.publication import Publication, Standing, publication
from dagster_project.ranking.publish import period_of, write
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.settings import Settings

REGIONS = load_regions()
DAY = date(2025, 6, 30)


def standing(region: str, rank: int | None, rise: int | None = None, **more: Any) -> Standing:
    given: dict[str, Any] = {
        "indicator": "ecology.x",
        "title_zh": "指标<甲>",
        "title_en": "Indicator A",
        "unit": "%",
        "direction": "higher",
        "decimals": 1,
        "owner": "ecology",
        "every": "month",
        "day": DAY,
        "figure_day": DAY,
        "region": region,
        "value": None if rank is None else 100.0 - rank,
        "province": 50.0,
        "level": "领先",
        "target": 93.0,
        "reached": 1,
        "rank": rank,
        "ranked": 3,
        "missing": int(rank is None),
        "imputed": 0,
        "value_before": None,
        "rank_before": None if rank is None or rise is None else rank + rise,
        "rise": rise,
        "release_seq": 7,
    }
    return Standing(**{**given, **more})


def june(*rows: Standing) -> Publication:
    return publication("month", DAY, 7, rows, REGIONS)


ROWS = (
    standing("330000", None, value=50.0, missing=0),
    standing("330200", 2, 1),
    standing("330100", 1, 0),
    standing("330300", None),
    standing("330400", 3, -2),
    standing("330106", 1, None),
)


def test_regions_stand_by_rank_and_those_without_data_last() -> None:
    (sheet,) = june(*ROWS).sheets
    assert sheet.head.region == "330000"
    assert [(ranking.level, [row.region for row in ranking.rows]) for ranking in sheet.rankings] == [
        ("city", ["330100", "330200", "330400", "330300"]),
        ("county", ["330106"]),
    ]


def test_a_level_without_any_figure_is_left_out() -> None:
    (sheet,) = june(standing("330106", 1), standing("330100", None)).sheets
    assert [ranking.level for ranking in sheet.rankings] == ["county"]


def test_movements_are_written_as_people_write_them() -> None:
    cities = june(*ROWS).sheets[0].rankings[0]
    assert [row.moved for row in cities.rows] == ["—", "▲1", "▼2", "·"]
    assert [row.region for row in cities.risers] == ["330200"]
    assert [row.region for row in cities.fallers] == ["330400"]


def test_the_page_shows_places_and_charts_and_nothing_from_elsewhere() -> None:
    page = html(june(*ROWS), REGIONS)
    assert "指标月度晾晒 2025-06" in page and "release 7" in page and "指标&lt;甲&gt;" in page
    assert page.count("<svg") == 3 and "位次变化" in page
    links = re.findall(r"""(?:src|href)=["']?([^"' >]+)""", page)
    assert (
        links == ["#ecology.x"]
        and "<script" not in page
        and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    )
    assert "宁波" in page and "▲1" in page and "▼2" in page


def test_a_period_without_figures_says_so() -> None:
    assert "本期没有数据" in html(june(), REGIONS)


def test_the_table_has_a_row_a_region_and_its_name() -> None:
    rows = list(csv.DictReader(io.StringIO(table(june(*ROWS), REGIONS))))
    assert [(row["region_name"], row["rank"], row["rise"]) for row in rows][:2] == [
        ("杭州市", "1", "0"),
        ("宁波市", "2", "1"),
    ]
    assert len(rows) == 5 and rows[3]["value"] == ""


def test_publications_are_kept_by_period_and_listed(tmp_path: Path) -> None:
    page = write(tmp_path, june(*ROWS), REGIONS)
    again = write(tmp_path, publication("month", date(2025, 7, 31), 8, ROWS, REGIONS), REGIONS)
    assert page == tmp_path / "2025-06" / "index.html" and again.exists()
    assert re.findall(r'href="([^"]+)"', (tmp_path / "index.html").read_text()) == ["2025-07/", "2025-06/"]
    assert (page.parent / "ranking.csv").exists()
    assert contents([]).count("<li>") == 0


def test_the_period_is_a_setting() -> None:
    assert period_of(Settings()) == "month"
    assert period_of(Settings.from_mapping({"LIAOWANG_RANKING_PERIOD": "quarter"})) == "quarter"
    with pytest.raises(Misdeclared, match="'week' must be one of day, month, quarter, year"):
        period_of(Settings(ranking_period="week"))


def test_bars_stack_from_zero_to_both_sides() -> None:
    drawn = stacked("t", [Bar("a <b>", (3.0, -1.0, 2.0), "4")], ["x", "y", "z"])
    boxes = [
        (float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', drawn)
    ]
    (first, wide), (negative, narrow), (last, middle) = boxes
    assert first + wide == pytest.approx(last, abs=0.2) and negative + narrow == pytest.approx(first, abs=0.2)
    assert wide / 3 == pytest.approx(narrow, abs=0.2) and middle == pytest.approx(2 * narrow, abs=0.2)
    assert "a &lt;b&gt;" in drawn and drawn.count("<i ") == 3
    assert stacked("t", [], ()).startswith("<svg")


def test_slopes_and_spans_put_the_first_place_first() -> None:
    drawn = slopes("t", [Slope("a", 1, 2), Slope("b", 2, 1), Slope("c", 2, 3)])
    assert len(re.findall("<line ", drawn)) == 3 and "b、c 2" in drawn
    lines = [
        tuple(map(float, pair)) for pair in re.findall(r'y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)"', drawn)
    ]
    assert [end > start for start, end in lines] == [True, False, True]
    ranks = spans("t", [Span("a", 1, 2, 4, "a"), Span("b", float("nan"), 1, 1, "b")], 1, 5)
    (dot,) = re.findall(r'<circle cx="([\d.]+)"', ranks)
    high, low = re.findall(r'x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', ranks)[0]
    assert float(high) < float(dot) < float(low)
