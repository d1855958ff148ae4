"""A back-test as a picture: a line a subject, a bar an episode, old above new; HTML with SVG, or PNG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from schemas.fields import SHANGHAI
from streams.watch.backtest import Episode, Pair

COLOURS = {"red": "#c62828", "orange": "#ef6c00", "yellow": "#f9a825", "blue": "#1565c0"}
MOST = 80
"""Subjects shown, those with most differences first."""
_LEFT, _WIDTH, _LINE, _TOP = 240, 1100, 26, 40


def draw(path: Path, title: str, pairs: Sequence[Pair], names: tuple[str, str]) -> None:
    """Write the picture; `.png` is drawn by matplotlib, anything else is HTML."""
    lines = _lines(pairs)
    if path.suffix.lower() == ".png":
        _png(path, title, lines, names)
    else:
        path.write_text(html(title, lines, names), encoding="utf-8")


Lines = dict[str, list[Pair]]


def _lines(pairs: Sequence[Pair]) -> Lines:
    found: Lines = {}
    for pair in pairs:
        shown = pair.new or pair.old
        assert shown is not None
        found.setdefault(" ".join(filter(None, (shown.timeline, shown.subject))), []).append(pair)
    ordered = sorted(found, key=lambda name: (-sum(pair.verdict != "same" for pair in found[name]), name))
    return {name: found[name] for name in ordered[:MOST]}


def _span(lines: Lines) -> tuple[int, int]:
    shown = [each for pairs in lines.values() for pair in pairs for each in (pair.old, pair.new) if each]
    first = min((each.start for each in shown), default=0)
    last = max((each.end or each.steps[-1][0] for each in shown), default=1)
    return first, max(last, first + 1)


def html(title: str, lines: Lines, names: tuple[str, str]) -> str:
    """One page with an SVG, readable without any other address; each bar tells its episode to a pointer."""
    first, last = _span(lines)
    scale = _WIDTH / (last - first)
    parts = []
    for number, (name, pairs) in enumerate(lines.items()):
        y = _TOP + number * _LINE
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name[:34])}</text>')
        for pair in pairs:
            for shift, each in ((0, pair.old), (10, pair.new)):
                if each is not None:
                    parts.append(_bar(each, first, last, scale, y + 2 + shift, pair.verdict))
    height = _TOP + len(lines) * _LINE + 40
    ends = "".join(
        f'<text x="{x}" y="20" text-anchor="{anchor}">{_day(at)}</text>'
        for x, anchor, at in ((_LEFT, "start", first), (_LEFT + _WIDTH, "end", last))
    )
    legend = " ".join(
        f'<span style="border-left:14px solid {colour};padding:0 12px 0 4px">{level}</span>'
        for level, colour in COLOURS.items()
    )
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title><style>'
        "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222}text{font-size:12px}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(names[0])} (above), {escape(names[1])} (below)</p><p>{legend}</p>"
        f'<svg role="img" aria-label="{escape(title)}" width="{_LEFT + _WIDTH + 20}" height="{height}">'
        f"{ends}{''.join(parts)}</svg></body></html>"
    )


def _bar(each: Episode, first: int, last: int, scale: float, y: int, verdict: str) -> str:
    x = _LEFT + (each.start - first) * scale
    width = max(2.0, ((each.end or last) - each.start) * scale)
    words = f"{each.subject}: {each.peak}, {_time(each.start)} – {_end(each)} ({verdict})"
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="9" fill="{COLOURS[each.peak]}">'
        f"<title>{escape(words)}</title></rect>"
    )


def _end(each: Episode) -> str:
    return _time(each.end) if each.end else "…"


def _png(path: Path, title: str, lines: Lines, names: tuple[str, str]) -> None:
    from matplotlib.figure import Figure  # heavy, and only for this

    first, last = _span(lines)
    figure = Figure(figsize=(14, max(2.5, 0.32 * len(lines) + 1.5)), layout="constrained")
    axes = figure.add_subplot()
    for number, pairs in enumerate(lines.values()):
        for pair in pairs:
            for shift, each in ((0.1, pair.old), (0.5, pair.new)):
                if each is not None:
                    start = each.start / 86_400_000
                    length = max((each.end or last) - each.start, (last - first) / 500) / 86_400_000
                    axes.broken_barh([(start, length)], (number + shift, 0.35), facecolors=COLOURS[each.peak])
    axes.set_yticks([number + 0.5 for number in range(len(lines))], [name[:34] for name in lines])
    axes.invert_yaxis()
    axes.xaxis_date(SHANGHAI)
    axes.set_title(f"{title}: {names[0]} above, {names[1]} below")
    figure.savefig(path, dpi=110)


def _day(milliseconds: int) -> str:
    return _time(milliseconds)[:10]


def _time(milliseconds: int | None) -> str:
    return (
        datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
        .astimezone(SHANGHAI)
        .strftime("%Y-%m-%d %H:%M")
    )
