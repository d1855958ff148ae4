"""The departments there are, as `departments.yaml` declares them; whoever names another one is told so.

Contracts, indicators, indices, quality tasks and tokens name a department by its id. What its contracts would
repeat (team, support, service levels) is said here once: `effective.py` adds it to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import Misdeclared
from schemas.lines import line_of
from schemas.nearest import nearest
from schemas.regions import PROVINCE, Regions

DEPARTMENTS = Path(__file__).parent / "departments.yaml"
LANGUAGES = ("zh", "en")
Words = Mapping[str, str]
"""The same words by language: zh and en."""


@dataclass(frozen=True)
class Contact:
    """Whom to call: the office (by language, may be empty), logins of the data stewards, phone and e-mail."""

    stewards: tuple[str, ...]
    office: Words = field(default_factory=dict)
    phone: str = ""
    email: str = ""


@dataclass(frozen=True)
class Channel:
    """One way to reach it about its feeds, in the words of the Open Data Contract Standard (`support`)."""

    channel: str
    tool: str
    scope: str
    description: str
    url: str = ""


@dataclass(frozen=True)
class ServiceLevel:
    """What it promises of every feed whose contract does not say otherwise (`slaProperties` of the standard)."""

    property: str
    value: str | int | float
    unit: str = ""


@dataclass(frozen=True)
class Department:
    """One department; all it may send of lies in `regions`. An office sends for what it is `part_of`, too."""

    id: str
    name: Words
    regions: tuple[str, ...]
    contact: Contact
    part_of: str = ""
    duty_roles: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    service_levels: tuple[ServiceLevel, ...] = ()


@dataclass(frozen=True)
class Departments:
    """All departments by id, in the order of their file."""

    known: Mapping[str, Department]

    def __contains__(self, id: object) -> bool:
        return id in self.known

    def __iter__(self) -> Iterator[Department]:
        return iter(self.known.values())

    def get(self, id: str) -> Department | None:
        """The department of this id, or None."""
        return self.known.get(id)

    def name(self, id: str, language: str = "zh") -> str:
        """What a department is called; its id where it is not declared."""
        return self.known[id].name[language] if id in self.known else id

    def titled(self, id: str) -> str:
        """A department by its id and its name, as lists show it."""
        return f"{id} {self.name(id)}" if id in self.known else id

    def names(self, id: str) -> dict[str, str]:
        """What a department is called, by language; empty where it is not declared."""
        return dict(self.known[id].name) if id in self.known else {}

    def call(self, id: str) -> str:
        """Whom to call about it, in one line; empty where it is not declared."""
        if id not in self.known:
            return ""
        contact = self.known[id].contact
        office = contact.office.get("zh", "")
        return ", ".join(filter(None, (office, contact.phone, contact.email, *contact.stewards)))

    def with_above(self, id: str) -> tuple[str, ...]:
        """A department and those that it is part of, from below; an undeclared one is alone."""
        found = [id]
        while found[-1] in self.known and (above := self.known[found[-1]].part_of):
            found.append(above)
        return tuple(found)

    def may_send(self, id: str, owner: str) -> bool:
        """Whether a department sends the feeds of `owner`: its own, and those of what it is part of."""
        return owner in self.with_above(id)

    def scope(self, id: str, regions: Regions) -> frozenset[str] | None:
        """The codes of all regions it may send of; None for the whole province, and where it is not declared."""
        department = self.known.get(id)
        if department is None or PROVINCE in department.regions:
            return None
        return frozenset(region.code for region in regions.all if _within(region.code, department, regions))

    def unknown(self, id: str) -> str:
        """What is said of a department that is none."""
        there, meant = ", ".join(self.known), nearest(id, self.known)
        hint = f"; did you mean {meant}?" if meant else ""
        return (
            f"no such department: {id!r}; there are {there}{hint} (departments.yaml declares them,"
            " `liaowang department add` writes one more)"
        )

    def wrong(self, id: str, path: Path, key: str) -> Misdeclared | None:
        """The error of a declaration that names this department under this key; None where there is one."""
        if id in self.known:
            return None
        line = line_of(path.read_text(encoding="utf-8"), key) if path.is_file() else 0
        return Misdeclared(f"{path}:{line}" if line else str(path), key, self.unknown(id))


def _within(code: str, department: Department, regions: Regions) -> bool:
    city = regions.city_of(code)
    return code in department.regions or (city is not None and city.code in department.regions)
