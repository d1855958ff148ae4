"""What a text may hold: nothing that a header, a log line or a terminal takes for a command.

Control characters (C0, DEL, C1), line and paragraph separators, and the marks that turn the direction of writing
are refused. A text of several lines may have tabs and line breaks besides.
"""

from __future__ import annotations

import re

_REST = r"\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
NOT_IN_LINE, NOT_IN_LINES = rf"\x00-\x1f{_REST}", rf"\x00-\x08\x0b\x0c\x0e-\x1f{_REST}"
"""Such characters, for a class of a regular expression: Python's, JSON Schema's. JSON has no halves of characters,
and not every kind of expression can name them."""
HALVES = r"\ud800-\udfff"
BACKSLASH, DELETE = 0x5C, 0x7F
"""Bytes in which control characters stand in JSON below U+0080; bytes find a number far faster than bytes."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LINE, _LINES = re.compile(f"[{NOT_IN_LINE}{HALVES}]"), re.compile(f"[{NOT_IN_LINES}{HALVES}]")


def control(text: str, lines: bool = False) -> str:
    """The first character that must not stand in a text, such as U+000A; "" where there is none."""
    if text.isprintable():
        return ""
    found = (_LINES if lines else _LINE).search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def visible(text: str) -> str:
    """The text with such characters written out, as in JSON: safe on a terminal and in a log."""
    return text if text.isprintable() else _LINE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def cell(text: str) -> str:
    """A text as a cell of CSV: with an apostrophe before what a spreadsheet would take for a formula."""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def suspect(raw: bytes) -> bool:
    """Whether a text in this JSON may hold such a character: a scan for single bytes, which costs next to nothing.

    Below U+0080 they stand escaped, but for DEL; the others begin with one of three bytes of UTF-8, which Chinese
    has in quotation marks and dashes alone.
    """
    if BACKSLASH in raw or DELETE in raw:
        return True
    return not raw.isascii() and (0xE2 in raw or 0xC2 in raw or 0xD8 in raw)
