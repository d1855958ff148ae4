"""All that is wrong with one declaration at once: reading goes on past a fault, the end tells all together."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TypeVar, cast

from schemas.declaration import Entry
from schemas.errors import Misdeclared, faults_of, together

Found = TypeVar("Found")
Given = TypeVar("Given")
_PLACES = re.compile(r"[.\[\]]+")


class Faults:
    """Faults in the order of reading; as a context it notes what is raised within, and goes on after it.

    What was read past a fault is of no use: `end` must be called before it is.
    """

    def __init__(self) -> None:
        self._found: list[Misdeclared] = []

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Misdeclared):
            self.note(error)
        return isinstance(error, Misdeclared)

    def __bool__(self) -> bool:
        return bool(self._found)

    def note(self, *errors: Misdeclared) -> None:
        """Add these; of what stands at or below a place that was told already no more is said."""
        for error in errors:
            for each in faults_of(error):
                if not any(_at_or_below(each, told) for told in self._found):
                    self._found.append(each)

    def all(self, read: Callable[[Given], Found], given: Iterable[Given]) -> tuple[Found, ...]:
        """What is made of these, one after the other."""
        found = []
        for each in given:
            with self:
                found.append(read(each))
        return tuple(found)

    def of(self, read: Callable[[Entry], Found], entry: Entry) -> Found:
        """What is read of an entry; where it is wrong that is noted."""
        with self:
            return read(entry)
        return cast("Found", None)

    def parts(
        self, entry: Entry, required: Collection[str] = (), optional: Collection[str] | None = None
    ) -> Parts:
        """The entries of a mapping that are there and known; of all others it is noted what is wrong."""
        self.note(*entry.keys_wrong(required, optional))
        known = {} if not isinstance(entry.value, dict) else entry.value
        return Parts(
            self,
            {
                key: entry.at(key)
                for key, value in known.items()
                if isinstance(key, str)
                and (optional is None or key in required or key in optional)
                and (value is not None or key not in required)
            },
        )

    def end(self) -> None:
        """Raise one Misdeclared that says all that was noted, if anything was."""
        if self._found:
            raise together(self._found)


class Parts(Mapping[str, Entry]):
    """Entries by key, whose faults are noted."""

    def __init__(self, faults: Faults, entries: Mapping[str, Entry]) -> None:
        self._faults, self._entries = faults, entries

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, key: str, read: Callable[[Entry], Found], otherwise: Found | None = None) -> Found:
        """What is read under a key; `otherwise` where it is not there."""
        if key not in self._entries:
            return cast("Found", otherwise)
        return self._faults.of(read, self._entries[key])


def _at_or_below(error: Misdeclared, told: Misdeclared) -> bool:
    """Whether an error is about a value that was found wrong already, or about a part of it."""
    if error.where != told.where:
        return False
    place, known = _steps(error.key), _steps(told.key)
    return bool(known) and place[: len(known)] == known


def _steps(key: str) -> list[str]:
    """The steps of a key, however they are written: `schema[0].name`, `schema.0.name`."""
    return [] if key == "document" else [step for step in _PLACES.split(key) if step]
