"""The printed ranking is read back: Chinese text, embedded fonts, numbered pages; what is lacking is said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from dagster_project.ranking.pdf import check_printing, obstacle, print_pdf
from dagster_project.ranking.publication import Publication
from dagster_project.ranking.publish import PDF, write
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from tests.dagster_project.ranking.test_publication import june, standing

REGIONS = load_regions()
COUNTIES = [region for region in REGIONS.all if region.level == "county"]
printing = pytest.mark.skipif(bool(obstacle()), reason=obstacle())


def all_counties() -> Publication:
    counties = [standing(region.code, at + 1, at % 5 - 2) for at, region in enumerate(COUNTIES)]
    cities = [standing("330100", 1, 0), standing("330200", 2, 1), standing("330300", None)]
    head = standing("330000", None, value=50.0, missing=0)
    second = [replace(row, indicator="health.y", title_zh="传染病发病率") for row in (head, *cities)]
    return june(head, *cities, *counties, *second)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a publication of all counties, with its PDF beside it."""
    return write(tmp_path_factory.mktemp("rankings"), all_counties(), REGIONS, pdf=True)


@printing
def test_a_publication_is_printed_with_text_to_search_and_page_numbers(page: Path) -> None:
    sheets = [sheet.extract_text() for sheet in PdfReader(page.with_name(PDF)).pages]
    text = "".join(sheets)
    assert [region.name for region in COUNTIES if region.name not in text] == []
    assert "指标月度晾晒 2025-06" in sheets[0]
    assert "上升 · Risen: 宁波市 ▲1" in text
    assert "传染病发病率" in sheets[-1]  # an indicator begins on a page of its own
    assert all(f"第 {at + 1} 页，共 {len(sheets)} 页" in sheet for at, sheet in enumerate(sheets))
    assert all("位次 地区 数值" in sheet for sheet in sheets if re.search(r"\d \S+ [\d.]+ 领先", sheet))
    assert 'href="ranking.pdf"' in page.read_text(encoding="utf-8")


@printing
def test_no_chart_is_cut_off_at_the_end_of_its_sheet(page: Path) -> None:
    heights: list[float] = []

    def see(text: str, matrix: list[float], place: list[float], *_: object) -> None:
        if text.strip():
            heights.append(matrix[1] * place[4] + matrix[3] * place[5] + matrix[5])

    for sheet in PdfReader(page.with_name(PDF)).pages:
        sheet.extract_text(visitor_text=see)
    assert len(heights) > len(COUNTIES)
    assert min(heights) > 0


@printing
def test_the_fonts_of_chinese_text_are_in_the_file(tmp_path: Path) -> None:
    (sheet,) = PdfReader(print_pdf("<p>瞭望</p>", tmp_path / "out.pdf")).pages
    assert sheet.mediabox[2:] == pytest.approx([595.28, 841.89], abs=0.01)
    for font in sheet["/Resources"]["/Font"].values():
        below = font.get_object()["/DescendantFonts"][0].get_object()
        assert below["/FontDescriptor"].get_object().keys() & {"/FontFile2", "/FontFile3"}


def test_a_page_published_without_pdf_keeps_no_earlier_one(tmp_path: Path) -> None:
    found = june(standing("330100", 1, 0))
    stale = write(tmp_path, found, REGIONS).with_name(PDF)
    stale.write_bytes(b"%PDF-of another release")
    page = write(tmp_path, found, REGIONS)
    assert not stale.exists()
    assert PDF not in page.read_text(encoding="utf-8")


@printing
def test_without_a_chinese_font_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Misdeclared, match=r"--pdf: needs a font with Chinese characters .*fonts-noto-cjk"):
        check_printing()
