"""Contracts from their files: Open Data Contract Standard 3.1 YAML, checked strictly.

A file is valid where the published ODCS model takes it without losing a key, and our own rules hold: one
table, known custom properties, options that fit the field's type. The path is the identity:
`feeds/<domain>/<feed>.yaml` declares the feed `<domain>.<feed>`, `<feed>.v1.yaml` an older major version of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.contract_model import LICENCE, RULES, SKEW, Contract, Example, Field
from schemas.declaration import Entry, parse_yaml, read_all, read_text
from schemas.errors import Misdeclared, together
from schemas.faults import Faults, Parts
from schemas.field_yaml import read_custom_properties, read_field
from schemas.gate import Gate, read_gate
from schemas.intake import read_intake
from schemas.majors import check_majors
from schemas.names import check_id, check_topic
from schemas.regions import REGION_LEVELS
from schemas.simulate.frame import Frame
from schemas.simulate.read import read_simulate
from schemas.succession_yaml import read_sunset, read_upgrade
from schemas.topics import feed_topic

__all__ = [
    "FEEDS",
    "RELEASED",
    "RULES",
    "Contract",
    "Example",
    "Field",
    "load_contract",
    "load_contracts",
    "parse_contract",
]

FEEDS = Path(__file__).parent / "feeds"
RELEASED = Path(__file__).parent / "released"
"""Copies of the contracts as they were last released; `liaowang contracts release` makes them."""
API_VERSION = "v3.1.0"
HORIZON = timedelta(days=31)
_LONGEST_SPAN = timedelta(days=50 * 365)
_OLDER = re.compile(r"(?P<name>.+)\.v(?P<major>\d{1,6})", re.ASCII)
_SEMVER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)
_DOCUMENT = (
    "apiVersion",
    "kind",
    "id",
    "name",
    "version",
    "status",
    "domain",
    "description",
    "schema",
)
_PROPERTIES = ("feed", "department", "subject", "lateness", "retention", "examples")
_MORE_PROPERTIES = ("topic", "region", "intake", "licence", "horizon", "skew", "gate", "simulate", "upgrade")
_STATUSES = ("proposed", "draft", "active", "deprecated", "retired")


def load_contracts(root: Path = FEEDS, *, simulated: bool = True) -> dict[str, Contract]:
    """All contracts under a folder by feed, sorted; two that share a topic or table are Misdeclared.

    With `simulated=False` how they are made up is not looked at: it is no part of what they promise.
    """
    contracts = read_all(lambda path: load_contract(path, simulated=simulated), sorted(root.glob("*/*.yaml")))
    if not contracts:
        raise Misdeclared(str(root), "feeds", "holds no <domain>/<feed>.yaml")
    found = {contract.feed: contract for contract in sorted(contracts, key=lambda contract: contract.feed)}
    check_majors(found)
    for key in ("topic", "table"):
        seen: dict[str, Contract] = {}
        for contract in contracts:
            name = getattr(contract, key)
            other = seen.setdefault(name.replace(".", "_"), contract)  # to a broker a.b and a_b are one topic
            if other is not contract:
                raise Misdeclared(str(contract.path), key, f"{name} belongs to {other.feed} already")
    return found


def load_contract(path: Path, *, simulated: bool = True) -> Contract:
    """The contract in a file; whatever is wrong with it is Misdeclared."""
    return parse_contract(read_text(path), path, simulated=simulated)


@lru_cache(maxsize=512)
def parse_contract(text: str, path: Path, *, simulated: bool = True) -> Contract:
    """The contract in a text that stands at this path (which names the feed); a text is read once a process."""
    document = parse_yaml(text, str(path))
    faults = Faults()
    parts = faults.parts(document, _DOCUMENT)
    if not parts:
        faults.end()
    take = parts.take
    with faults:
        _check_odcs(document)
    take("apiVersion", lambda entry: entry.text([API_VERSION]))
    take("kind", lambda entry: entry.text(["DataContract"]))
    version, status = take("version", _version), take("status", lambda entry: entry.text(_STATUSES))
    fields, description = take("schema", _fields), take("description", _purpose)
    custom = Parts(faults, read_custom_properties(document, _PROPERTIES, _MORE_PROPERTIES, faults))
    own = custom.take
    named = own(
        "feed",
        lambda entry: _feed(entry, parts.get("domain", document.at("domain")), document.at("version"), path),
    )
    family, feed = named or ("", "")
    older = feed != family
    with faults:
        if "upgrade" in custom and named and not older:
            raise custom["upgrade"].wrong("is for an older major version, such as <feed>.v1.yaml")
    in_fields = (
        own if fields else Parts(faults, {}).take
    )  # what names fields is looked at where they are right
    region_field, levels = in_fields("region", lambda entry: _region(entry, fields)) or ("", ())
    subject, lateness = in_fields("subject", lambda entry: _subject(entry, fields)), own("lateness", _span)
    retention = own("retention", lambda entry: _span(entry, timedelta(days=1)))
    horizon, skew = own("horizon", _span, HORIZON), own("skew", _span, SKEW)
    department, licence = own("department", Entry.text), own("licence", Entry.text, LICENCE)
    gate = own("gate", lambda entry: read_gate(entry, feed=True), Gate())
    intake = in_fields("intake", lambda entry: read_intake(entry, fields)) or ()
    examples = own("examples", _examples)
    topic = own("topic", lambda entry: check_topic(entry, family))
    upgrade = in_fields("upgrade", lambda entry: read_upgrade(entry, fields))
    sunset = None
    with faults:
        sunset = read_sunset(document.at("slaProperties")) if older else None
    made_up = None
    if simulated and not faults:
        frame = Frame(feed, fields, subject, region_field, levels, lateness)
        made_up = own("simulate", lambda entry: read_simulate(entry, frame))
    faults.end()
    return Contract(
        feed=feed,
        version=version,
        status=status,
        topic=topic or feed_topic(family, int(version.split(".")[0])),
        department=department,
        description=description,
        fields=tuple(fields.values()),
        subject=subject,
        lateness=lateness,
        retention=retention,
        horizon=horizon,
        skew=skew,
        gate=gate,
        region_field=region_field,
        region_levels=levels,
        intake=intake,
        examples=examples,
        simulate=made_up,
        licence=licence,
        sunset=sunset,
        upgrade=upgrade,
        path=path,
    )


def _span(entry: Entry, least: timedelta = timedelta(0)) -> timedelta:
    """A duration with which times stay within what the warehouse holds."""
    found = entry.duration()
    if not least <= found <= _LONGEST_SPAN:
        raise entry.wrong(f"must be from P{least.days}D to P{_LONGEST_SPAN.days}D")
    return found


def _purpose(entry: Entry) -> str:
    return " ".join(entry.mapping(["purpose"])["purpose"].text().split())


def _version(entry: Entry) -> str:
    if not _SEMVER.fullmatch(entry.text()):
        raise entry.wrong(f"{entry.value!r} must be major.minor.patch, such as 1.0.0")
    return entry.text()


def _check_odcs(document: Entry) -> None:
    from open_data_contract_standard.model import OpenDataContractStandard  # slow to import: pydantic
    from pydantic import ValidationError

    try:
        kept = OpenDataContractStandard.model_validate(document.value)
    except ValidationError as error:
        found = [
            Misdeclared(
                document.where,
                ".".join(map(str, each["loc"])),
                f"Open Data Contract Standard: {each['msg']}",
            )
            for each in error.errors()
        ]
        raise together(found) from None
    faults = Faults()
    _check_kept(document, kept.model_dump(by_alias=True, exclude_unset=True), faults)
    faults.end()


def _check_kept(entry: Entry, kept: Any, faults: Faults) -> None:
    if isinstance(entry.value, dict) and isinstance(kept, dict):
        for key in entry.value:
            if key not in kept:
                faults.note(entry.at(key).wrong("the Open Data Contract Standard has no such key"))
            else:
                _check_kept(entry.at(key), kept[key], faults)
    elif isinstance(entry.value, list) and isinstance(kept, list):
        for item, other in zip(entry.items(), kept, strict=True):
            _check_kept(item, other, faults)


def _feed(entry: Entry, domain: Entry, version: Entry, path: Path) -> tuple[str, str]:
    """The feed's name, and what this contract of it is called: an older major version by its event type."""
    feed, older = check_id(entry, "feed"), _OLDER.fullmatch(path.stem)
    if feed != f"{path.parent.name}.{older['name'] if older else path.stem}":
        raise entry.wrong(f"{feed!r} must stand in feeds/{feed.replace('.', '/', 1)}.yaml")
    if domain.text() != feed.split(".")[0]:
        raise domain.wrong(f"must be {feed.split('.')[0]}, the domain of {feed}")
    if older and version.text().split(".")[0] != older["major"]:
        raise version.wrong(f"{version.value} must be of major version {older['major']}, as {path.name} says")
    return feed, f"{feed}.v{older['major']}" if older else feed


def _fields(entry: Entry) -> dict[str, Field]:
    tables = entry.items()
    if len(tables) != 1:
        raise entry.wrong(f"must hold one object, the event's data, not {len(tables)}")
    faults = Faults()
    fields = faults.all(read_field, tables[0].mapping(["name", "properties"])["properties"].items())
    faults.end()
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise tables[0].at("properties").wrong(f"the field {name!r} stands there twice")
    if not fields:
        raise tables[0].at("properties").wrong("must hold at least one field")
    return {field.name: field for field in fields}


def _known(entry: Entry, name: str, fields: dict[str, Field]) -> Field:
    if name not in fields:
        raise entry.wrong(f"no field {name!r}; there are {', '.join(fields)}")
    return fields[name]


def _subject(entry: Entry, fields: dict[str, Field]) -> tuple[str, ...]:
    for name in entry.texts():
        field = _known(entry, name, fields)
        if not field.required:
            raise entry.wrong(f"the field {name!r} must be required, as it is part of the Kafka key")
        if field.multiline:
            raise entry.wrong(f"the field {name!r} is multiline; the Kafka key has one line")
    return entry.texts()


def _region(entry: Entry, fields: dict[str, Field]) -> tuple[str, tuple[str, ...]]:
    parts = entry.mapping(["field", "levels"], [])
    field = _known(parts["field"], parts["field"].text(), fields)
    if field.kind != "string":
        raise parts["field"].wrong(f"{field.name!r} must be a string, as region codes are")
    for level in parts["levels"].items():
        level.text(REGION_LEVELS)
    return field.name, parts["levels"].texts()


def _examples(entry: Entry) -> tuple[Example, ...]:
    parts = entry.mapping(["accepted", "rejected"], [])
    faults = Faults()
    accepted = faults.all(lambda item: item.mapping(["name", "data"], []), parts["accepted"].items())
    keys = ["name", "data", "field", "rule"]
    rejected = faults.all(lambda item: item.mapping(keys, []), parts["rejected"].items())
    faults.end()
    if not accepted or not rejected:
        raise entry.wrong("must hold at least one accepted and one rejected example")
    names = [item["name"].text() for item in [*accepted, *rejected]]
    if len(set(names)) < len(names):
        raise entry.wrong("two examples have one name; give each its own")
    found = faults.all(_example, [*accepted, *rejected])
    faults.end()
    return found


def _example(item: Mapping[str, Entry]) -> Example:
    return Example(
        name=item["name"].text(),
        data=_plain(item["data"]),
        field=item["field"].text() if "field" in item else "",
        rule=item["rule"].text(tuple(RULES)) if "rule" in item else "",
    )


def _plain(entry: Entry) -> dict[str, Any]:
    return {key: item.value for key, item in entry.mapping().items()}
