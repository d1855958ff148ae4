"""The picture of a back-test: HTML or PNG, a bar an episode, old above new only where there are two."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest
from PIL import Image

from deploy.rule_history.backtest_picture import COLOURS, MOST, draw, require_picture
from schemas.errors import Misdeclared
from streams.watch.trial.backtest import pair
from tests.streams.watch.test_backtest import made, of

OLD, NEW = of(made("a", 10, 20), made("b", 10, 20)), of(made("a", 10, 15), made("c & <d>", 12, None, "red"))


def test_two_versions_are_two_bars_a_subject_that_tell_their_episodes(tmp_path: Path) -> None:
    path = tmp_path / "both.html"
    draw(path, "高 <high>", pair(OLD, NEW), ("version 1", "version 2"))
    page = path.read_text(encoding="utf-8")
    assert page.count("<rect ") == len(OLD) + len(NEW)
    assert "version 1 (above), version 2 (below)" in page and "高 &lt;high&gt;" in page
    assert "c &amp; &lt;d&gt;: red" in page and "(new)" in page and "(gone)" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_bar_is_as_long_as_its_episode_and_the_old_one_stands_above_the_new(tmp_path: Path) -> None:
    path = tmp_path / "scale.html"
    draw(path, "high", pair(of(made("a", 10, 30)), of(made("a", 10, 20))), ("version 1", "version 2"))
    bars = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"', path.read_text("utf-8"))
    ]
    (old_x, old_y, old_width), (new_x, new_y, new_width) = bars
    assert old_x == new_x and old_y < new_y and old_width == pytest.approx(2 * new_width)


def test_a_bar_has_the_colour_of_its_worst_level(tmp_path: Path) -> None:
    path = tmp_path / "levels.html"
    found = of(*(made(level, 10, 20, level) for level in COLOURS))
    draw(path, "high", pair(found, found), ("version 1",))
    shown = re.findall(r'fill="(#\w+)"><title>(\w+):', path.read_text(encoding="utf-8"))
    assert {level: colour for colour, level in shown} == COLOURS


def test_one_version_is_one_bar_an_episode(tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    draw(path, "high", pair(NEW, NEW), ("version 2",))
    page = path.read_text(encoding="utf-8")
    assert page.count("<rect ") == len(NEW) and "above" not in page


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    path = tmp_path / "none.html"
    draw(path, "high", [], ("version 2",))
    assert "No warnings." in path.read_text(encoding="utf-8") and "1970" not in path.read_text(
        encoding="utf-8"
    )


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = tmp_path / "many.html"
    many = of(*(made(f"s{number}", 10, 20) for number in range(MOST + 7)))
    draw(path, "high", pair(many, many), ("version 1", "version 2"))
    assert f"{MOST} of {MOST + 7} subjects" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("names", [("version 1", "version 2"), ("version 2",)])
def test_png_also_with_chinese_and_with_nothing(tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, pairs in enumerate((pair(OLD, NEW), [])):
        path = tmp_path / f"{number}.PNG"
        draw(path, "细颗粒物 high", pairs, names)
        assert path.read_bytes().startswith(b"\x89PNG\r\n")
        there = {level for level in COLOURS if bands(path, level)}
        assert there == ({"yellow", "red"} if pairs else set()), (
            "a bar for each level there was, and no other"
        )


def test_the_bars_of_a_png_are_as_long_as_their_episodes_the_old_one_above(tmp_path: Path) -> None:
    path = tmp_path / "scale.png"
    pairs = pair(of(made("a", 10, 30)), of(made("a", 10, 20)))
    draw(path, "high", pairs, ("version 1", "version 2"))
    old, new = bands(path, "yellow")
    assert old == pytest.approx(2 * new, rel=0.02)
    draw(path, "high", pairs, ("version 2",))
    assert len(bands(path, "yellow")) == 1


def bands(path: Path, level: str) -> list[int]:
    """The widths in pixels of the bars of a level in a PNG, from above."""
    colour = tuple(bytes.fromhex(COLOURS[level].removeprefix("#")))
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    rows = [sum(rgb.getpixel((x, y)) == colour for x in range(rgb.width)) for y in range(rgb.height)]
    return [max(run) for wide, run in groupby(rows, bool) if wide]


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(Misdeclared, match=r"a\.gif must end in \.html or \.png"):
        require_picture(tmp_path / "a.gif")
    with pytest.raises(Misdeclared, match="there is no folder"):
        require_picture(tmp_path / "no" / "a.png")
    require_picture(tmp_path / "a.html")
