"""Reading declarations: strict YAML, and entries that know their file and key, so an error can name them."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from sys import float_info
from typing import Any, TypeVar

import yaml

from schemas import strict_yaml
from schemas.errors import Misdeclared, together
from schemas.nearest import nearest
from schemas.text import control

Found = TypeVar("Found")
LARGEST = float_info.max
LARGEST_FILE = 4 * strict_yaml.LONGEST
LARGEST_WHOLE = 2**63 - 1
LONGEST_SPAN = timedelta(days=36_500)
_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.ASCII,
)


def read_text(path: Path, where: str = "") -> str:
    """The text of a declaration's file; what is no readable UTF-8 file of ordinary size is Misdeclared.

    `where` is what errors call the file, its path if not given.
    """
    where = where or str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Misdeclared(where, "file", "cannot be read: it is no ordinary file")
        if path.stat().st_size > LARGEST_FILE:
            raise Misdeclared(where, "file", f"cannot be read: it has more than {LARGEST_FILE:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or f"is no UTF-8 text: {error}"
        raise Misdeclared(where, "file", f"cannot be read: {why}") from None


def read_yaml(path: Path) -> Entry:
    """The one document of a YAML file; anything unreadable is Misdeclared naming the file."""
    return parse_yaml(read_text(path), str(path))


def read_all(read: Callable[[Path], Found], paths: Iterable[Path]) -> list[Found]:
    """What is read of these files; one Misdeclared says of all that are wrong what is wrong with them."""
    found: list[Found] = []
    wrong: list[Misdeclared] = []
    for path in paths:
        try:
            found.append(read(path))
        except Misdeclared as error:
            wrong.append(error)
    if wrong:
        raise together(wrong)
    return found


def parse_yaml(text: str, where: str, published: bool = False) -> Entry:
    """The one document of a YAML text; anything unreadable is Misdeclared naming `where`.

    `published`: it may have what is asked of new texts only since it was published.
    """
    try:
        return Entry(where, "", strict_yaml.load(text, published))
    except yaml.YAMLError as error:
        raise Misdeclared(where, "yaml", " ".join(str(error).split())) from None


def parse_duration(text: str) -> timedelta | None:
    """An ISO 8601 duration of weeks, days, hours, minutes, seconds (`P1D`, `PT2H`); None where it is none.

    Years and months have no fixed length and are not taken.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    try:
        return timedelta(**{unit: int(count) for unit, count in match.groupdict().items() if count})
    except (OverflowError, ValueError):
        return None


@dataclass(frozen=True)
class Entry:
    """One value of a declaration, with the file it stands in and the key that leads to it."""

    where: str
    key: str
    value: Any

    def wrong(self, problem: str) -> Misdeclared:
        """The error that says what would be right here."""
        return Misdeclared(self.where, self.key or "document", problem)

    def mapping(
        self, required: Collection[str] = (), optional: Collection[str] | None = None
    ) -> dict[str, Entry]:
        """The entries of a mapping by key. `optional=None` lets any further key through."""
        for error in self.keys_wrong(required, optional):
            raise error
        return {key: Entry(self.where, self._path(key), value) for key, value in self.value.items()}

    def keys_wrong(
        self, required: Collection[str] = (), optional: Collection[str] | None = None
    ) -> Iterator[Misdeclared]:
        """What is wrong with the keys of a mapping, one after the other."""
        if not isinstance(self.value, dict):
            yield self.wrong(f"must be a mapping, not {_kind(self.value)}")
            return
        for key in self.value:
            if not isinstance(key, str):
                yield self.wrong(f"the key {key!r} must be text; put it in quotes")
            elif optional is not None and key not in required and key not in optional:
                known = [*required, *optional]
                yield self.at(key).wrong(f"no such key; there are {', '.join(known)}{meant(key, known)}")
        for key in required:
            if self.value.get(key) is None:
                yield self.at(key).wrong("must be given")

    def items(self) -> tuple[Entry, ...]:
        """The entries of a list, in order."""
        if not isinstance(self.value, list):
            raise self.wrong(f"must be a list, not {_kind(self.value)}")
        return tuple(Entry(self.where, f"{self.key}[{at}]", item) for at, item in enumerate(self.value))

    def text(self, choices: Collection[str] = ()) -> str:
        """A text that is not empty and, where choices are given, is one of them."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong(f"must be text, not {_kind(self.value)}")
        if bad := control(self.value, lines=True):
            raise self.wrong(f"must not have the control character {bad}")
        if choices and self.value not in choices:
            raise self.wrong(
                f"{self.value!r:.60} must be one of {', '.join(choices)}{meant(self.value, choices)}"
            )
        return self.value

    def texts(self) -> tuple[str, ...]:
        """A list of one or more different texts."""
        found = tuple(item.text() for item in self.items())
        if not found or len(set(found)) < len(found):
            raise self.wrong("must list one or more texts, each once")
        return found

    def flag(self) -> bool:
        """A truth value: true or false."""
        if not isinstance(self.value, bool):
            raise self.wrong(f"must be true or false, not {_kind(self.value)}")
        return self.value

    def number(self) -> int | float:
        """A finite number, no larger than a float can be."""
        if (
            isinstance(self.value, bool)
            or not isinstance(self.value, int | float)
            or not -LARGEST <= self.value <= LARGEST
        ):
            raise self.wrong(f"must be a number, not {_kind(self.value)}")
        return self.value

    def integer(self) -> int:
        """A whole number of 64 bits."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong(f"must be a whole number, not {_kind(self.value)}")
        if not -LARGEST_WHOLE - 1 <= self.value <= LARGEST_WHOLE:
            raise self.wrong(f"must fit 64 bits, not {_kind(self.value)}")
        return self.value

    def duration(self) -> timedelta:
        """An ISO 8601 duration such as PT2H or P1D."""
        found = parse_duration(self.text())
        if found is None:
            raise self.wrong(f"{self.value!r:.60} must be an ISO 8601 duration such as PT2H or P1D")
        if found > LONGEST_SPAN:
            raise self.wrong(f"{self.value!r} must be at most P{LONGEST_SPAN.days}D")
        return found

    def at(self, key: str) -> Entry:
        """The entry under a key of this mapping (None where it is absent)."""
        return Entry(
            self.where, self._path(key), self.value.get(key) if isinstance(self.value, dict) else None
        )

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key


def meant(name: str, known: Collection[str]) -> str:
    """What to add to an error about a name that is none of the known: the one that was probably meant."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()} (so are yes, no, on and off; put text in quotes)"
    return "nothing" if value is None or value == "" else f"{value!r:.60}"
