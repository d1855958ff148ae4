"""The receiver's page: a table of pushes, plain HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from streams.duty.words import one_line

COLOURS = {"red": "#c62828", "orange": "#ef6c00", "yellow": "#f9a825", "blue": "#1565c0"}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Pushes</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd }}
td:first-child {{ font-weight: 600 }}
</style></head><body>
<h1>Pushes</h1><p>{pushes} received, {copies} copies dropped; newest first.</p>
<table><thead><tr>
<th>level</th><th>kind</th><th>warning</th>
<th>subject</th><th>at</th><th>value</th><th>received</th></tr>
</thead><tbody>{rows}</tbody></table></body></html>
"""


def page(pushes: int, copies: int, newest: Iterable[Mapping[str, Any]]) -> str:
    """The page for so many pushes, the newest as the store gives them; what they say is only text."""
    return PAGE.format(pushes=pushes, copies=copies, rows="".join(_row(item) for item in newest))


def _row(item: Mapping[str, Any]) -> str:
    push = item["push"]
    received = datetime.fromtimestamp(item["received_at"], UTC).isoformat(timespec="seconds")
    level = str(push.get("level", ""))
    cells = [level, *(push.get(name) for name in ("kind", "title", "subject", "at", "value")), received]
    texts = [escape("" if cell is None else one_line(cell)) for cell in cells]
    first = f'<td style="color:{COLOURS.get(level, "#222")}">{texts[0]}</td>'
    return f"<tr>{first}{''.join(f'<td>{text}</td>' for text in texts[1:])}</tr>"
