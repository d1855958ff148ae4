"""A publication of rankings as a page with charts, and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, Template

from dagster_project.charts import Bar, Slope, slopes, stacked
from dagster_project.composite.table import csv_text
from dagster_project.ranking.publication import NAMES, Publication, Ranking, Sheet
from schemas.regions import Regions

_PAGE = Path(__file__).parent / "page.html.j2"
LEVELS = {"city": "设区市 · Cities", "county": "县(市、区) · Counties"}
_BARS = 45
"""Bars a chart: one that is higher than a sheet of paper would be cut off."""
PERIODS = {"day": "日", "month": "月度", "quarter": "季度", "year": "年度"}


def html(publication: Publication, regions: Regions, pdf: str = "") -> str:
    """The page; it needs nothing from elsewhere. `pdf` names its printed form, where there is one."""
    sheets = [
        (
            sheet,
            [
                (ranking, LEVELS[ranking.level], _charts(sheet, ranking, regions))
                for ranking in sheet.rankings
            ],
        )
        for sheet in publication.sheets
    ]
    names = {region.code: region.name for region in regions.all}
    mountain = {region.code for region in regions.all if region.mountain}
    title = f"指标{PERIODS[publication.every]}晾晒 {publication.label}"
    return _template().render(
        publication=publication, sheets=sheets, names=names, mountain=mountain, title=title, pdf=pdf
    )


def table(publication: Publication, regions: Regions) -> str:
    """All rows as CSV: the columns of `mart.ranking` and the region's name."""
    rows = [
        (*(getattr(row, name) for name in NAMES), _name(regions, row.region))
        for sheet in publication.sheets
        for ranking in sheet.rankings
        for row in ranking.rows
    ]
    return csv_text((*NAMES, "region_name"), rows)


def contents(labels: Iterable[str]) -> str:
    """The page that lists all publications, the newest first."""
    items = "".join(f'<li><a href="{label}/">{label}</a></li>' for label in sorted(labels, reverse=True))
    return (
        '<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>晾晒 · Rankings</title></head>'
        '<body style="font: 16px sans-serif; margin: 2em"><h1>晾晒 · Rankings</h1>'
        f"<ul>{items}</ul></body></html>\n"
    )


def _charts(sheet: Sheet, ranking: Ranking, regions: Regions) -> str:
    """Values as bars, and for cities the way from the former place to the present one."""
    there = [row for row in ranking.rows if row.value is not None]
    bars = [Bar(_name(regions, row.region), (row.value or 0.0,), row.shown) for row in there]
    title = f"{sheet.head.title_zh} ({sheet.head.unit})"
    drawn = "".join(
        stacked(title, bars[first : first + _BARS], (), bars) for first in range(0, len(bars), _BARS)
    )
    moves = [
        Slope(_name(regions, row.region), row.rank_before, row.rank)
        for row in ranking.rows
        if row.rank is not None and row.rank_before is not None
    ]
    if ranking.level == "city" and moves:
        drawn += slopes("位次变化 · From the former place to the present one", moves)
    return drawn


def _name(regions: Regions, code: str) -> str:
    region = regions.get(code)
    return code if region is None else region.name


@cache
def _template() -> Template:
    text = _PAGE.read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
