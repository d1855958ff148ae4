r"""The text of a subject out of several values: two subjects never have one text.

Values are joined by a separator, and a value that itself has it, or a backslash, is written with backslashes
before them: (a|b, c) is `a\|b|c`, and (a, b|c) is `a|b|c`. The last value stands as it is, as nothing follows it.
Values without separators keep their plain form.
"""

from __future__ import annotations

from collections.abc import Sequence

SEPARATOR = "|"
_ESCAPE = "\\"


def before(value: str, following: str) -> str:
    """The value as it is written before a text, so that where it ends can be told."""
    if _ESCAPE not in value and (value + following).find(following) == len(value):
        return value
    mark = following[0]
    return value.replace(_ESCAPE, _ESCAPE * 2).replace(mark, _ESCAPE + mark)


def joined(parts: Sequence[str]) -> str:
    """The values as one text."""
    text = SEPARATOR.join(parts)
    if _ESCAPE not in text and text.count(SEPARATOR) == len(parts) - 1:
        return text
    return SEPARATOR.join([*(before(part, SEPARATOR) for part in parts[:-1]), *parts[-1:]])


def split(text: str, parts: int | None = None) -> list[str]:
    """The values of a joined text, of which there are so many; where that is not known, as many as there can be.

    As the last value stands as it is, a separator in it is told from one before it by the number of values alone.
    """
    found: list[str] = []
    value, start, at = "", 0, 0
    while at < len(text) and (parts is None or len(found) + 1 < parts):
        each = text[at]
        at += 1
        if each == SEPARATOR:
            found.append(value)
            value, start = "", at
        elif each == _ESCAPE:
            value += text[at : at + 1]
            at += 1
        else:
            value += each
    return [*found, text[start:]]
