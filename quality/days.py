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

from jinja2 import Environment, Template

from quality.gate import Verdict
from quality.suites import Suite
from schemas.whole import write_whole

KEPT, PAGES = "gx/said", "docs/days"
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
        "asked": [[item.label, _told(item.kwargs)] for item in suite.expectations],
        "build": verdicts[0].build_id,
        "at": now.isoformat(),
        "docs": docs,
        "days": {str(verdict.day): [verdict.rows, list(verdict.failed)] for verdict in verdicts},
    }
    path = home / KEPT / f"{now:%Y%m%dT%H%M%S%f}-{table}.json"
    write_whole(path, json.dumps(said, ensure_ascii=False).encode())


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
        (folder / f"{day}.html").write_text(page(day, _linked(home, both)), encoding="utf-8")
    if new:
        days = sorted((path.stem for path in folder.glob("*.json")), reverse=True)
        (folder / "index.html").write_text(_template().render(days=days), encoding="utf-8")
    for path in paths:
        path.unlink()
    return sorted(new)


def _linked(home: Path, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same without links to pages that are gone."""
    return {
        table: {**said, "docs": said["docs"] if (home / "docs" / said["docs"]).is_file() else ""}
        for table, said in tables.items()
    }


def page(day: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of a day; it needs nothing from elsewhere."""
    shown = [
        {
            **said,
            "checks": [
                (label, asked, [words for words in said["failed"] if words.split(":")[0] == label])
                for label, asked in said["asked"]
            ],
            "other": [
                words
                for words in said["failed"]
                if words.split(":")[0] not in {label for label, _ in said["asked"]}
            ],
        }
        for said in tables.values()
    ]
    return _template().render(day=day, tables=shown)


def _told(kwargs: Mapping[str, Any]) -> str:
    """The arguments in a few words."""
    text = ", ".join(
        f"{key}: {value}"
        for key, value in kwargs.items()
        if key not in ("column", "column_list") and value is not None
    )
    return text if len(text) <= 160 else f"{text[:160]}…"


@cache
def _template() -> Template:
    text = _PAGE.read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
