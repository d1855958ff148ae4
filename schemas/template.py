"""Templates over named values: `{city}-{date}`. A name is taken as it stands, whatever characters it has.

Braces of the text itself are doubled, `{{` and `}}`. Unlike `str.format` there are no attributes, indexes,
conversions or widths: `{PM2.5}`, `{值[µg]}` and `{a:b}` are the columns of these names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schemas.declaration import Entry

_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")


@dataclass(frozen=True)
class Template:
    """A text with names in braces. `pieces` are what stands before each hole and its name; `tail` the rest."""

    text: str
    pieces: tuple[tuple[str, str], ...]
    tail: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the order they stand."""
        return tuple(name for _, name in self.pieces)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with every name filled in from these values, which hold them all."""
        return "".join([part for text, name in self.pieces for part in (text, values[name])]) + self.tail


def template_of(text: str) -> Template:
    """Read a template; ValueError says which brace stands alone."""
    pieces, before, at = [], "", 0
    for found in _PIECE.finditer(text):
        before += text[at : found.start()]
        at = found.end()
        if found[0] in ("{{", "}}"):
            before += found[0][0]
        elif len(found[0]) == 1:
            raise ValueError(
                f"{found[0]} stands alone at {found.start() + 1}; in the text itself it is doubled"
            )
        else:
            pieces.append((before, found[0][1:-1]))
            before = ""
    return Template(text, tuple(pieces), before + text[at:])


def read_template(entry: Entry, known: Collection[str], what: str) -> Template:
    """The template in an entry, all of whose names are known; `what` says what they are, such as column."""
    try:
        found = template_of(entry.text())
    except ValueError as error:
        raise entry.wrong(f"{entry.value!r:.60}: {error}") from None
    if unknown := next((name for name in found.names if name not in known), None):
        raise entry.wrong(f"no {what} {unknown!r}; there are {', '.join(known)}")
    if "" in found.names and "" not in known:
        raise entry.wrong(f"{{}} names no {what}; there are {', '.join(known)}")
    return found
