"""One figure explained as a page: all of it in one HTML file that loads nothing. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dagster_project.build.indicator_sql import FIGURE
from dagster_project.explain.explanation import Explanation
from schemas.departments import Departments

TEMPLATES = Path(__file__).parent


def explain_page(found: Explanation, departments: Departments | None = None) -> str:
    """The page; texts of others (ids, sources) are escaped. Departments have their names where they are given."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    meanings = {name: comment for name, _, comment in FIGURE}
    return pages.get_template("explain.html").render(
        it=found, meanings=meanings, shown=shown, titled=(departments or Departments({})).titled
    )


def shown(value: Any) -> str:
    """A value of a figure as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.9f}".rstrip("0").rstrip(".")
    return str(value)


def page_path(home: Path, found: Explanation) -> Path:
    """Where the page lies among the Data Docs, which are served."""
    return home / "docs" / "explain" / found.indicator / f"{found.region}-{found.period}.html"
