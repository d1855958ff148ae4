"""Contrast after WCAG 2.2 (1.4.3, 1.4.11), computed from the style sheet's own variables."""

from __future__ import annotations

import re

import pytest

from streams.console.rendering import STATIC

CSS = (STATIC / "console.css").read_text(encoding="utf-8")
TEXT, GRAPHIC = 4.5, 3.0
PAIRS = [
    *(("ink", ground) for ground in ("paper", "ground")),
    *(("soft", ground) for ground in ("paper", "ground")),
    *(("link", ground) for ground in ("paper", "ground")),
    *(("good", ground) for ground in ("paper",)),
    *(("bad", ground) for ground in ("paper", "ground", "warn")),
    *((f"{level}-ink", level) for level in ("red", "orange", "yellow", "blue", "none")),
    *((text, "bar") for text in ("bar-ink", "bar-soft")),
    ("act-ink", "act"),
    ("act", "paper"),
    ("warn-ink", "warn"),
]
GRAPHICS = [
    ("focus", "paper"),
    ("focus", "ground"),
    ("rule", "paper"),
    ("bar-focus", "bar"),
    ("line", "paper"),
]
GRAPHICS += [(f"{level}-line", "paper") for level in ("red", "orange", "yellow", "blue")]
LIGHT_ONLY = {"line", *(f"{level}-line" for level in ("red", "orange", "yellow", "blue"))}


def variables(selector: str) -> dict[str, str]:
    block = re.search(rf"^{re.escape(selector)} {{(.*?)^}}", CSS, re.DOTALL | re.MULTILINE)
    assert block is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block.group(1)))


def luminance(colour: str) -> float:
    deps = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in deps]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [":root", ".wall"])
def test_text_and_graphics_can_be_told_from_their_ground(theme: str) -> None:
    colours = variables(":root") | variables(theme)
    faint = [
        f"{one} on {other}: {contrast(colours[one], colours[other]):.2f}"
        for pairs, least in ((PAIRS, TEXT), (GRAPHICS, GRAPHIC))
        for one, other in pairs
        if not (theme == ".wall" and one in LIGHT_ONLY) and contrast(colours[one], colours[other]) < least
    ]
    assert faint == []


def test_colours_come_from_variables_only() -> None:
    rules = re.sub(r"^(:root|\.wall) {.*?^}", "", CSS, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(", rules) == []


def test_static_files_name_no_address_outside() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in text and "@import" not in text and "url(" not in text, path
