"""Reading declarations: strict YAML, and entries that know their file and key, so an error can name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from datetime import timedelta
from sys import float_info
from typing import Any

import yaml

from schemas.errors import Misdeclared
from schemas.text import control

LARGEST = float_info.max
_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


class _Loader(yaml.SafeLoader):
    """Safe YAML without dates (they stay text, as in JSON) and without repeated keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(name, deep=True)
            if isinstance(key, Hashable) and key in seen:
                line = name.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key!r} stands there twice; keep one")
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, where: str) -> Entry:
    """The one document of a YAML text; anything unreadable is Misdeclared naming `where`."""
    try:
        return Entry(where, "", yaml.load(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError) as error:
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
    except OverflowError:
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
        if not isinstance(self.value, dict):
            raise self.wrong(f"must be a mapping, not {_kind(self.value)}")
        for key in self.value:
            if not isinstance(key, str):
                raise self.wrong(f"the key {key!r} must be text; put it in quotes")
            if optional is not None and key not in required and key not in optional:
                raise self.at(key).wrong(f"no such key; there are {', '.join([*required, *optional])}")
        for key in required:
            if self.value.get(key) is None:
                raise self.at(key).wrong("must be given")
        return {key: Entry(self.where, self._path(key), value) for key, value in self.value.items()}

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
            raise self.wrong(f"{self.value!r} must be one of {', '.join(choices)}")
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
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong(f"must be a whole number, not {_kind(self.value)}")
        return self.value

    def duration(self) -> timedelta:
        """An ISO 8601 duration such as PT2H or P1D."""
        found = parse_duration(self.text())
        if found is None:
            raise self.wrong(f"{self.value!r} must be an ISO 8601 duration such as PT2H or P1D")
        return found

    def at(self, key: str) -> Entry:
        """The entry under a key of this mapping (None where it is absent)."""
        return Entry(
            self.where, self._path(key), self.value.get(key) if isinstance(self.value, dict) else None
        )

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key


def _kind(value: Any) -> str:
    return "nothing" if value is None or value == "" else f"{value!r:.60}"
