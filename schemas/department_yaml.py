"""Departments from their file, read strictly; an error names file, line and key, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from schemas.declaration import Entry, meant, parse_yaml, read_text
from schemas.departments import (
    DEPARTMENTS,
    LANGUAGES,
    Channel,
    Contact,
    Department,
    Departments,
    ServiceLevel,
    Words,
)
from schemas.errors import Misdeclared
from schemas.lines import placed
from schemas.regions import PROVINCE, Regions, load_regions
from schemas.roles import Roles, load_roles

ID = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
PHONE = re.compile(r"\+?[0-9][0-9 ()-]{3,30}", re.ASCII)
EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+", re.ASCII)
STEWARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
REQUIRED = ("department", "name", "regions", "contact")
OPTIONAL = ("part_of", "duty_roles", "channels", "service_levels")
TOOLS = ("email", "phone", "dingtalk", "wecom", "ticket", "other")
SCOPES = ("interactive", "announcements", "issues", "notifications")
UNITS = ("y", "d", "h", "m", "s")
LONGEST = 200
"""Characters of a name or another text of one line."""


def load_departments(
    path: Path = DEPARTMENTS, roles: Roles | None = None, regions: Regions | None = None
) -> Departments:
    """The departments in a file; whatever is wrong with it is Misdeclared, with file and line."""
    return parse_departments(read_text(path), path, roles, regions)


def parse_departments(
    text: str, path: Path, roles: Roles | None = None, regions: Regions | None = None
) -> Departments:
    """The departments in a text that stands at this path."""
    try:
        entries = parse_yaml(text, str(path)).mapping(("departments",), [])["departments"].items()
        roles, regions = roles or load_roles(), regions or load_regions()
        found: dict[str, Department] = {}
        names: dict[str, str] = {}
        for entry in entries:
            department = _department(entry, roles, regions)
            if department.id in found:
                raise entry.at("department").wrong(f"{department.id!r} stands there twice; keep one")
            for language, name in department.name.items():
                if other := names.get(name):
                    raise entry.at("name").at(language).wrong(f"{name!r} is the name of {other} already")
            names |= dict.fromkeys(department.name.values(), department.id)
            found[department.id] = department
        _check_parts(entries, found, regions)
    except Misdeclared as error:
        raise placed(error, path, text) from None
    return Departments(found)


def _department(entry: Entry, roles: Roles, regions: Regions) -> Department:
    parts = entry.mapping(REQUIRED, OPTIONAL)
    return Department(
        id=_form(
            parts["department"], ID, "must be lower-case letters, digits, hyphens, beginning with a letter"
        ),
        name=_words(parts["name"]),
        regions=_regions(parts["regions"], regions),
        contact=_contact(parts["contact"]),
        part_of=parts["part_of"].text() if "part_of" in parts else "",
        duty_roles=_roles(parts["duty_roles"], roles) if "duty_roles" in parts else (),
        channels=tuple(map(_channel, parts["channels"].items())) if "channels" in parts else (),
        service_levels=_service_levels(parts["service_levels"]) if "service_levels" in parts else (),
    )


def _form(entry: Entry, form: re.Pattern[str], problem: str) -> str:
    if not form.fullmatch(entry.text()):
        raise entry.wrong(f"{entry.value!r:.80} {problem}")
    return entry.text()


def line(entry: Entry) -> str:
    """A text of one line, not too long."""
    text = entry.text()
    if len(text) > LONGEST or len(text.splitlines()) > 1 or text != text.strip():
        raise entry.wrong(f"must be one line of at most {LONGEST} characters, without blanks around it")
    return text


def _words(entry: Entry) -> Words:
    return {language: line(each) for language, each in entry.mapping(LANGUAGES, []).items()}


def _regions(entry: Entry, regions: Regions) -> tuple[str, ...]:
    codes = entry.texts()
    for item, code in zip(entry.items(), codes, strict=True):
        if regions.get(code) is None:
            raise item.wrong(
                f"no such region: {code!r:.60}{meant(code, [each.code for each in regions.all])}"
            )
        city = regions.city_of(code)
        above = {PROVINCE, city.code if city else PROVINCE} - {code}
        if wider := above & set(codes):
            raise item.wrong(f"{code} lies in {min(wider)}, which stands there, too; keep one")
    return codes


def _contact(entry: Entry) -> Contact:
    parts = entry.mapping(("stewards",), ("office", "phone", "email"))
    login = "must be a login: letters, digits, dots, hyphens, underscores"
    for item in parts["stewards"].items():
        _form(item, STEWARD, login)
    return Contact(
        stewards=parts["stewards"].texts(),
        office=_words(parts["office"]) if "office" in parts else {},
        phone=_form(parts["phone"], PHONE, "must be a telephone number, in quotes")
        if "phone" in parts
        else "",
        email=_form(parts["email"], EMAIL, "must be an e-mail address") if "email" in parts else "",
    )


def _roles(entry: Entry, roles: Roles) -> tuple[str, ...]:
    for item in entry.items():
        roles.check(item)
    return entry.texts()


def _channel(entry: Entry) -> Channel:
    parts = entry.mapping(("channel", "tool", "scope", "description"), ("url",))
    return Channel(
        channel=line(parts["channel"]),
        tool=parts["tool"].text(TOOLS),
        scope=parts["scope"].text(SCOPES),
        description=line(parts["description"]),
        url=line(parts["url"]) if "url" in parts else "",
    )


def _service_levels(entry: Entry) -> tuple[ServiceLevel, ...]:
    found: dict[str, ServiceLevel] = {}
    for item in entry.items():
        parts = item.mapping(("property", "value"), ("unit",))
        name, value = line(parts["property"]), parts["value"]
        if name in found:
            raise parts["property"].wrong(f"{name!r} stands there twice; keep one")
        found[name] = ServiceLevel(
            property=name,
            value=line(value) if isinstance(value.value, str) else value.number(),
            unit=parts["unit"].text(UNITS) if "unit" in parts else "",
        )
    return tuple(found.values())


def _check_parts(entries: Collection[Entry], found: dict[str, Department], regions: Regions) -> None:
    """Who is part of another: there is one, it is not part of itself, and its regions hold those of its part."""
    known = Departments(found)
    for entry, department in zip(entries, found.values(), strict=True):
        at, above = entry.at("part_of"), department.part_of
        if not above:
            continue
        if above not in found:
            raise at.wrong(
                f"no such department: {above!r:.80}; there are {', '.join(found)}{meant(above, found)}"
            )
        seen = [department.id]
        while above:
            if above in seen:
                raise at.wrong(f"goes round in a circle: {' -> '.join([*seen, above])}")
            seen.append(above)
            above = found[above].part_of if above in found else ""
        scope = known.scope(department.part_of, regions)
        outside = [code for code in department.regions if scope is not None and code not in scope]
        if outside:
            raise entry.at("regions").wrong(
                f"{outside[0]} is no region of {department.part_of}, whose part it is"
            )
