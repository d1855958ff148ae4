"""The duty roles there are, as `roles.yaml` declares them; whoever names another one is told so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.declaration import Entry, read_yaml
from schemas.nearest import nearest

ROLES = Path(__file__).parent / "roles.yaml"
RESERVED = ("admin", "supervisor", "viewer", "any")
"""Names that mean something else: rights of officers, and the team that answers for every role."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Roles:
    """All duty roles with their titles by language; `fallback` is the one that gets what belongs to none."""

    titles: Mapping[str, Mapping[str, str]]
    fallback: str

    def __contains__(self, role: object) -> bool:
        return role in self.titles

    def unknown(self, role: str) -> str:
        """What is said of a role that is none."""
        there, meant = ", ".join(self.titles), nearest(role, self.titles)
        said = f"no such duty role: {role!r}; there are {there} (schemas/roles.yaml declares them)"
        return f"{said}; did you mean {meant}?" if meant else said

    def check(self, entry: Entry) -> str:
        """The role in an entry; Misdeclared where there is none of this name."""
        role = entry.text()
        if role not in self:
            raise entry.wrong(self.unknown(role))
        return role


def load_roles(path: Path = ROLES) -> Roles:
    """The roles in a file; whatever is wrong with it is Misdeclared."""
    parts = read_yaml(path).mapping(("fallback", "roles"), [])
    titles: dict[str, Mapping[str, str]] = {}
    for item in parts["roles"].items():
        each = item.mapping(("role", "title"), [])
        role = each["role"].text()
        if not _NAME.fullmatch(role):
            raise each["role"].wrong(
                f"{role!r} must be lower-case letters, digits, dots, hyphens, underscores"
            )
        if role in RESERVED:
            raise each["role"].wrong(f"{role!r} means something else here; choose another name")
        if role in titles:
            raise each["role"].wrong(f"{role!r} stands there twice; keep one")
        languages = each["title"].mapping(("zh", "en"), [])
        titles[role] = {language: entry.text() for language, entry in languages.items()}
    roles = Roles(titles, "")
    return Roles(titles, roles.check(parts["fallback"]))
