"""Data Docs by day: for each day a page of what the gate asked of every table and what came of it.

The gate only keeps what it said, as a small file; pages are written later, by whoever writes the Data Docs. A page
holds counts, never values.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, Template

from quality.gate import Verdict
from quality.suites import Suite
from schemas.atomic_write import write_atomically
from schemas.findings import Finding, Found, check_words, words_of
from schemas.texts import LANGUAGES, Words, read_words

KEPT, PAGES = "gx/said", "docs/days"
TEXTS = Path(__file__).parent / "texts.yaml"
_PAGE = Path(__file__).parent / "day.html.j2"


def keep_verdicts(
    home: Path, table: str, suite: Suite, verdicts: Iterable[Verdict], now: datetime, docs: str = ""
) -> None:
    """Keep what the gate said of a table until pages are written; `docs` is the engine's own page on it."""
    verdicts = list(verdicts)
    if not verdicts:
        return
    said = {
        "table": table,
        "suite": suite.name,
        "asked": [[item.label, _told(item.kwargs), item.kind, item.columns] for item in suite.expectations],
        "build": verdicts[0].build_id,
        "at": now.isoformat(),
        "docs": docs,
        "days": {str(each.day): [each.rows, msgspec.to_builtins(each.findings)] for each in verdicts},
    }
    path = home / KEPT / f"{now:%Y%m%dT%H%M%S%f}-{table}.json"
    write_atomically(path, json.dumps(said, ensure_ascii=False).encode())


def write_days(home: Path) -> list[str]:
    """Write the pages of days with something new said, and the list of all days; which days.

    What was said last of a table and day is what its page shows. The caller lets nobody else write meanwhile.
    """
    paths = sorted((home / KEPT).glob("*.json"))
    new: dict[str, dict[str, Any]] = defaultdict(dict)
    for path in paths:
        said = json.loads(path.read_text(encoding="utf-8"))
        for day, (rows, failed) in said.pop("days").items():
            new[day][said["table"]] = {**said, "rows": rows, "failed": failed}
    folder = home / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    for day, tables in new.items():
        data = folder / f"{day}.json"
        known = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
        both = dict(sorted({**known, **tables}.items()))
        data.write_text(json.dumps(both, ensure_ascii=False), encoding="utf-8")
        linked = _linked(home, both)
        for language in LANGUAGES:
            (folder / _name(day, language)).write_text(page(day, linked, language), encoding="utf-8")
    if new:
        days = sorted((path.stem for path in folder.glob("*.json")), reverse=True)
        for language in LANGUAGES:
            (folder / _name("index", language)).write_text(_render(language, days=days), encoding="utf-8")
    for path in paths:
        path.unlink()
    return sorted(new)


def _linked(home: Path, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same without links to pages that are gone."""
    return {
        table: {**said, "docs": said["docs"] if (home / "docs" / said["docs"]).is_file() else ""}
        for table, said in tables.items()
    }


def page(day: str, tables: Mapping[str, Mapping[str, Any]], language: str = "en") -> str:
    """The page of a day; it needs nothing from elsewhere."""
    return _render(language, day=day, tables=[_table(said, language) for said in tables.values()])


def _table(said: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What was said of a table, ready to be shown: its checks with what each found, and what no check says."""
    findings = [_finding(item) for item in said["failed"]]
    labels = {label for label, *_ in said["asked"]}
    checks = [
        (
            check_words(
                Finding(Found.TOLD, check=label, kind=(*more, "")[0], columns=tuple(*more[1:])), language
            ),
            asked,
            [words_of(item, language) for item in findings if item.check == label],
        )
        for label, asked, *more in said["asked"]
    ]
    other = [words_of(item, language) for item in findings if item.check not in labels]
    typed = not any(isinstance(item, str) for item in said["failed"])
    return {**said, "checks": checks, "other": other, "typed": typed}


def _finding(kept: Any) -> Finding:
    """A finding as it was kept; what an earlier version kept in words alone is told as it stands, of no check."""
    if isinstance(kept, str):
        return Finding(Found.TOLD, {"words": kept})
    return msgspec.convert(kept, Finding)


def _name(page: str, language: str) -> str:
    """The file of a page: the English one has the plain name."""
    return f"{page}.html" if language == "en" else f"{page}.{language}.html"


def _render(language: str, day: str = "", **given: Any) -> str:
    other = next(each for each in LANGUAGES if each != language)
    links = {"index": _name("index", language), "other": _name(day or "index", other)}
    return _template().render(day=day, t=_words()[language], links=links, ending=_name("", language), **given)


def _told(kwargs: Mapping[str, Any]) -> str:
    """The arguments in a few words."""
    text = ", ".join(
        f"{key}: {value}"
        for key, value in kwargs.items()
        if key not in ("column", "column_list") and value is not None
    )
    return text if len(text) <= 160 else f"{text[:160]}…"


@cache
def _words() -> dict[str, Words]:
    return read_words(TEXTS)


@cache
def _template() -> Template:
    text = _PAGE.read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
