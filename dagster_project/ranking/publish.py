"""Read a publication from the marts and write it down: page, table, contents."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from dagster_project.days.periods import PERIODS, whole
from dagster_project.days.spans import Span
from dagster_project.ranking.page import contents, html, table
from dagster_project.ranking.pdf import print_pdf
from dagster_project.ranking.publication import NAMES, Publication, Standing, publication
from dagster_project.warehouse import Warehouse
from schemas.errors import Misdeclared
from schemas.regions import Regions
from schemas.settings import PREFIX, Settings

PDF = "ranking.pdf"
_FINENESS = ", ".join(f"'{period}'" for period in PERIODS)
_ROWS = f"""
SELECT {", ".join(NAMES)} FROM mart.ranking_at(release = {{release:UInt64}})
WHERE day BETWEEN {{first:Date}} AND {{last:Date}}
    AND indexOf([{_FINENESS}], every) >= indexOf([{_FINENESS}], {{every:String}})
ORDER BY indicator, indexOf([{_FINENESS}], every), day, region"""
_LATEST = """
SELECT max(figure_day) FROM mart.ranking_at(release = {release:UInt64})"""


def period_of(settings: Settings) -> str:
    """How often rankings are published; Misdeclared where the setting is no period."""
    if settings.ranking_period not in PERIODS:
        name = f"{PREFIX}RANKING_PERIOD"
        raise Misdeclared(
            "settings", name, f"{settings.ranking_period!r} must be one of {', '.join(PERIODS)}"
        )
    return settings.ranking_period


def current_release(warehouse: Warehouse) -> int:
    """The number of the current release; 0 while there is none."""
    ((seq,),) = warehouse.rows("SELECT seq FROM mart.current_release")
    return int(seq)


def latest_day(warehouse: Warehouse, release: int) -> date | None:
    """The last day with a figure in a release; None without any."""
    ((day,),) = warehouse.rows(_LATEST, release=release)
    return day if isinstance(day, date) and day.year > 1970 else None


def read(warehouse: Warehouse, regions: Regions, every: str, day: date, release: int) -> Publication:
    """The publication of the period a day lies in: each indicator in the finest of its periods that ends in it.

    A quarterly indicator stands in the publication of the month that ends its quarter, against the quarter
    before.
    """
    span: Span = whole(every, day)
    rows = [
        Standing(*row)
        for row in warehouse.rows(_ROWS, release=release, first=span.first, last=span.last, every=every)
    ]
    finest: dict[str, str] = {}
    for row in rows:
        finest.setdefault(row.indicator, row.every)
    last = {indicator: max(row.day for row in rows if row.indicator == indicator) for indicator in finest}
    chosen = [row for row in rows if row.every == finest[row.indicator] and row.day == last[row.indicator]]
    return publication(every, span.last, release, chosen, regions)


def write(folder: Path, found: Publication, regions: Regions, pdf: bool = False) -> Path:
    """Write a publication under `folder`, by period, and list it in the contents; the page.

    With `pdf` it is printed, too; without, one of an earlier state does not stay beside the page.
    """
    out = folder / found.label
    out.mkdir(parents=True, exist_ok=True)
    page = out / "index.html"
    text = html(found, regions, PDF if pdf else "")
    page.write_text(text, encoding="utf-8")
    (out / "ranking.csv").write_text(table(found, regions), encoding="utf-8", newline="")
    if pdf:
        print_pdf(text, out / PDF)
    else:
        (out / PDF).unlink(missing_ok=True)
    labels = [path.parent.name for path in folder.glob("*/index.html")]
    (folder / "index.html").write_text(contents(labels), encoding="utf-8")
    return page


def folder_of(settings: Settings) -> Path:
    """Where publications go if not told otherwise: beside the Data Docs, and served with them."""
    return settings.home / "docs" / "rankings"
