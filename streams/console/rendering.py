"""Templates to pages: one Jinja environment that escapes everything and fails on what is not given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from schemas.fields import SHANGHAI
from streams.console.chart import number

HERE = Path(__file__).parent
STATIC = HERE / "static"


def environment() -> Environment:
    """The environment of all templates; `stamp` changes with the static files, so browsers fetch them anew."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"moment": moment, "iso": iso, "number": lambda v: "–" if v is None else number(v)}
    made.filters |= {"decimals": decimals, "share": share, "size": size, "chinese": chinese}
    made.globals["stamp"] = stamp(sorted(STATIC.iterdir()))
    return made


def stamp(files: Iterable[Path]) -> str:
    """A short name for what the files hold."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


def moment(at: datetime) -> str:
    """A moment as people here read it, to the minute, Asia/Shanghai."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def iso(at: datetime) -> str:
    """A moment for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def decimals(value: float | None, places: int) -> str:
    """A figure to its decimals; a dash where there is none."""
    return "–" if value is None else f"{value:,.{places}f}"


def share(part: float, whole: float) -> str:
    """A share in per cent; a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f}%" if whole else "–"


def chinese(text: str) -> bool:
    """Whether there are Chinese characters in a text, so that a page in another language can say so."""
    return any("一" <= character <= "鿿" for character in text)


def size(count: int) -> str:
    """Bytes for people."""
    value: float = count
    for unit in ("B", "KiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} MiB"
