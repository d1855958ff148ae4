"""Small charts as inline SVG: nothing is fetched, and text stays text. Colours of the Okabe-Ito palette."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")
_ROW, _TEXT, _WIDTH = 20, 170, 520


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: parts of a length one after the other, and what stands behind them."""

    label: str
    parts: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True)
class Span:
    """One row of an interval chart: a line from low to high with a dot on it."""

    label: str
    low: float
    dot: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Slope:
    """One line of a slope chart: a place before and a place now, 1 being the top."""

    label: str
    before: int
    now: int


def stacked(
    title: str, bars: Sequence[Bar], legend: Sequence[str], scaled_for: Sequence[Bar] | None = None
) -> str:
    """A horizontal bar a row, its parts stacked from zero, parts below zero to the left.

    `scaled_for` are all bars, where these are but some of them.
    """
    every = bars if scaled_for is None else scaled_for
    above = max((sum(p for p in bar.parts if p > 0) for bar in every), default=0.0)
    below = min((sum(p for p in bar.parts if p < 0) for bar in every), default=0.0)
    scale = _WIDTH / ((above - below) or 1.0)
    zero = _TEXT - below * scale
    rows = []
    for at, bar in enumerate(bars):
        y = _ROW * (at + 1)
        rows.append(_label(bar.label, y))
        right = left = zero
        for color, part in enumerate(bar.parts):
            length = abs(part) * scale
            if not math.isfinite(length) or length == 0:
                continue
            x = right if part > 0 else left - length
            right, left = (right + length, left) if part > 0 else (right, left - length)
            name = legend[color] if color < len(legend) else ""
            tip = escape(f"{bar.label} {name} {part:.4g}")
            rows.append(
                f'<rect x="{x:.1f}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 6}" '
                f'fill="{PALETTE[color % len(PALETTE)]}"><title>{tip}</title></rect>'
            )
        rows.append(f'<text x="{right + 5:.1f}" y="{y + 14}">{escape(bar.note)}</text>')
    return _svg(title, rows, len(bars) + 1) + _legend(legend)


def spans(title: str, rows: Sequence[Span], lowest: float, highest: float) -> str:
    """A line a row between two bounds with a dot on it, the lowest value at the right: for ranks."""
    scale = _WIDTH / ((highest - lowest) or 1.0)

    def place(value: float) -> float:
        return _TEXT + _WIDTH - (value - lowest) * scale

    drawn = []
    for at, row in enumerate(rows):
        y = _ROW * (at + 1) + _ROW / 2
        drawn.append(_label(row.label, _ROW * (at + 1)))
        if math.isnan(row.low):
            continue
        drawn.append(
            f'<line x1="{place(row.high):.1f}" y1="{y}" x2="{place(row.low):.1f}" y2="{y}" '
            f'stroke="#999999" stroke-width="5"><title>{escape(row.note)}</title></line>'
            f'<circle cx="{place(row.dot):.1f}" cy="{y}" r="5" fill="{PALETTE[0]}"/>'
        )
    return _svg(title, drawn, len(rows) + 1)


def slopes(title: str, lines: Sequence[Slope]) -> str:
    """Places before at the left and now at the right; risers in green, fallers in red, dashed."""
    left, right = _TEXT, _TEXT + _WIDTH - 160
    drawn = []
    for line in lines:
        y, end = _ROW * line.before + _ROW / 2, _ROW * line.now + _ROW / 2
        moved = line.before - line.now
        tip = escape(f"{line.label}: {line.before} → {line.now}")
        color, dash = ("#999999", "") if not moved else (PALETTE[2], "") if moved > 0 else (PALETTE[5], "6 3")
        drawn.append(
            f'<line x1="{left}" y1="{y}" x2="{right}" y2="{end}" stroke="{color}" stroke-width="2"'
            f' stroke-dasharray="{dash}"><title>{tip}</title></line>'
        )
    for before in sorted({line.before for line in lines}):
        names = [line.label for line in lines if line.before == before]
        drawn.append(_label(f"{'、'.join(names)} {before}", _ROW * before))
    for now in sorted({line.now for line in lines}):
        names = [line.label for line in lines if line.now == now]
        drawn.append(f'<text x="{right + 8}" y="{_ROW * now + 14}">{now} {escape("、".join(names))}</text>')
    return _svg(title, drawn, max(max(line.before, line.now) for line in lines) + 1)


def _label(text: str, y: float) -> str:
    short = text if len(text) <= 22 else text[:21] + "…"
    return f'<text x="{_TEXT - 8}" y="{y + 14}" text-anchor="end">{escape(short)}</text>'


def _svg(title: str, parts: Sequence[str], rows: int) -> str:
    height, width = _ROW * rows + 8, _TEXT + _WIDTH + 90
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<text x="8" y="14" font-weight="bold">{escape(title)}</text>{"".join(parts)}</svg>'
    )


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    boxes = [
        f'<span><i style="background:{PALETTE[at % len(PALETTE)]}"></i>{escape(name)}</span>'
        for at, name in enumerate(names)
    ]
    return f'<p class="legend">{"".join(boxes)}</p>'
