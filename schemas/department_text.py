"""A department more in the text of their file, which keeps its comments and its order. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from schemas.department_yaml import parse_departments
from schemas.departments import Department, Departments
from schemas.errors import Misdeclared
from schemas.regions import Regions
from schemas.roles import Roles

Given = Mapping[str, Any]
"""What is said of one department, by the keys of its entry: texts, lists of texts, and mappings of these."""
OPTIONS = {
    "department": "ID",
    "name.zh": "--zh",
    "name.en": "--en",
    "regions": "--region",
    "part_of": "--part-of",
    "contact.stewards": "--steward",
    "contact.office.zh": "--office-zh",
    "contact.office.en": "--office-en",
    "contact.phone": "--phone",
    "contact.email": "--email",
    "duty_roles": "--duty-role",
}
"""By which option of `department add` a key is given."""
COMMAND = "department add"
_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff' -]*(?<! )")
_WORDS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null")
_LAYOUT = re.compile(r"^( *)- ", re.MULTILINE)


def with_entry(text: str, path: Path, given: Given, roles: Roles, regions: Regions) -> str:
    """The text with this department at its end; Misdeclared names the option that is wrong."""
    before = parse_departments(text, path, roles, regions)
    found = _LAYOUT.search(text)
    entry = entry_text(given, found[1] if found else "  ")
    grown = text if text.endswith("\n") else f"{text}\n"
    grown += entry
    at = f"departments[{len(before.known)}]"
    try:
        after = parse_departments(grown, path, roles, regions)
    except Misdeclared as error:
        if not error.key.startswith(at):
            raise Misdeclared(
                str(path), "departments", f"write this entry into it by hand: {given}"
            ) from None
        raise Misdeclared(COMMAND, option_of(error.key.removeprefix(f"{at}.")), error.problem) from None
    if list(after)[:-1] != list(before):
        raise Misdeclared(str(path), "departments", f"write this entry into it by hand: {given}")
    return grown


def differing(given: Given, known: Departments, roles: Roles, regions: Regions) -> str:
    """Which option says something else than the entry that is there; empty where none does."""
    alone = {key: value for key, value in given.items() if key != "part_of"}
    text = f"departments:\n{entry_text(alone, '  ')}"
    try:
        (made,) = parse_departments(text, Path(COMMAND), roles, regions)
    except Misdeclared as error:
        key = option_of(error.key.removeprefix("departments[0]."))
        raise Misdeclared(COMMAND, key, error.problem) from None
    made = replace(made, part_of=str(given.get("part_of", "")))
    there = known.known[made.id]
    return next((option_of(key) for key in _keys(given) if _value(made, key) != _value(there, key)), "")


def option_of(key: str) -> str:
    """The option of a key such as `regions[0]`; the key where it has none."""
    plain = re.sub(r"\[\d+\]", "", key)
    return OPTIONS.get(plain, key)


def entry_text(given: Given, indent: str) -> str:
    """The entry as it stands in the file, a key a line."""
    lines = [f"{key}: {_flow(value)}" for key, value in given.items()]
    return "".join(f"{indent}{'- ' if at == 0 else '  '}{line}\n" for at, line in enumerate(lines))


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = str(value)
    plain = _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _keys(given: Given) -> list[str]:
    """The keys that are given, those within mappings by their path."""
    found: list[str] = []
    for key, value in given.items():
        found += [f"{key}.{each}" for each in _keys(value)] if isinstance(value, Mapping) else [key]
    return found


def _value(department: Department, key: str) -> Any:
    value: Any = department
    for step in key.split("."):
        if isinstance(value, Mapping):
            value = value.get(step, "")
        else:
            value = getattr(value, "id" if step == "department" else step)
    return value
