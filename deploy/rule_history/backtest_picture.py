"""A back-test as a picture: a line a subject, a bar an episode, old above new; HTML with SVG, or PNG."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from streams.watch.trial.backtest import Episode, Pair

COLOURS = {"red": "#c62828", "orange": "#ef6c00", "yellow": "#f9a825", "blue": "#1565c0"}
MOST = 80
"""Subjects shown, those with most differences first."""
_LEFT, _WIDTH, _LINE, _TOP = 240, 1100, 26, 40


CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei")
"""Fonts of pictures that have Chinese; the first that is there is used."""


def require_picture(path: Path) -> None:
    """Misdeclared where no picture can be written there."""
    if path.suffix.lower() not in (".html", ".png"):
        raise Misdeclared("arguments", "--picture", f"{path.name} must end in .html or .png")
    if not path.absolute().parent.is_dir():
        raise Misdeclared("arguments", "--picture", f"there is no folder {path.absolute().parent}")


def draw(path: Path, title: str, pairs: Sequence[Pair], names: Sequence[str]) -> None:
    """Write the picture, `.png` or `.html`. `names`: old and new, or the only version: a bar an episode then."""
    lines = _lines(pairs, compared=len(names) > 1)
    subjects = len({_name(pair) for pair in pairs})
    said = f"{names[0]} (above), {names[1]} (below)" if len(names) > 1 else names[0]
    if subjects > MOST:
        said += f"; {MOST} of {subjects} subjects, those with most differences first"
    if path.suffix.lower() == ".png":
        _png(path, title, lines, said)
    else:
        path.write_text(html(title, lines, said), encoding="utf-8")


Lines = dict[str, list[Pair]]


def _name(pair: Pair) -> str:
    shown = pair.new or pair.old
    assert shown is not None
    return " ".join(filter(None, (shown.timeline, shown.subject)))


def _lines(pairs: Sequence[Pair], compared: bool) -> Lines:
    found: Lines = {}
    for pair in pairs:
        found.setdefault(_name(pair), []).append(pair if compared else Pair(None, pair.new))
    ordered = sorted(found, key=lambda name: (-sum(pair.verdict != "same" for pair in found[name]), name))
    return {name: found[name] for name in ordered[:MOST]}


def _span(lines: Lines) -> tuple[int, int]:
    shown = [each for pairs in lines.values() for pair in pairs for each in (pair.old, pair.new) if each]
    first = min((each.start for each in shown), default=0)
    last = max((each.end or each.steps[-1][0] for each in shown), default=1)
    return first, max(last, first + 1)


def html(title: str, lines: Lines, said: str) -> str:
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
        if lines
    )
    drawn = (
        f'<svg role="img" aria-label="{escape(title)}" width="{_LEFT + _WIDTH + 20}" height="{height}">'
        f"{ends}{''.join(parts)}</svg>"
    )
    legend = " ".join(
        f'<span style="border-left:14px solid {colour};padding:0 12px 0 4px">{level}</span>'
        for level, colour in COLOURS.items()
    )
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title><style>'
        "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222}text{font-size:12px}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(said)}</p><p>{legend}</p>{drawn if lines else _NOTHING}</body></html>"
    )


_NOTHING = "<p>No warnings.</p>"


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


def _png(path: Path, title: str, lines: Lines, said: str) -> None:
    from matplotlib import font_manager, rc_context  # heavy, and only for this

    there = set(font_manager.get_font_names())
    chinese = [name for name in CHINESE if name in there]
    with rc_context({"font.family": [*chinese[:1], "DejaVu Sans"]}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # where no font has Chinese, the title alone lacks it
        _draw_png(path, title, lines, said)


def _draw_png(path: Path, title: str, lines: Lines, said: str) -> None:
    from matplotlib.figure import Figure

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
    if lines:
        axes.xaxis_date(SHANGHAI)
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No warnings.", ha="center", transform=axes.transAxes)
    axes.set_title(f"{title}\n{said}")
    figure.savefig(path, dpi=110)


def _day(milliseconds: int) -> str:
    return _time(milliseconds)[:10]


def _time(milliseconds: int | None) -> str:
    return (
        datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
        .astimezone(SHANGHAI)
        .strftime("%Y-%m-%d %H:%M")
    )
