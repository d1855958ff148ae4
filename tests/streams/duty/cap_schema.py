"""What the schema of CAP 1.2 demands of a document, written down as data: order, number, values, forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, fromstring

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
WHEN = re.compile(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[-,+]\d\d:\d\d")
SOME = re.compile(r"(?s).+")
NAME = re.compile(r"[^\s,<&]+")
LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


def one_of(*values: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, values)))


@dataclass(frozen=True)
class Part:
    """A child in its place: its name, how often (`?`, `1`, `*`, `+`), and its text's form or its own parts."""

    name: str
    number: str
    form: re.Pattern[str] | tuple[Part, ...] = SOME


PAIR = (Part("valueName", "1"), Part("value", "1"))
AREA = (
    Part("areaDesc", "1"),
    Part("polygon", "*"),
    Part("circle", "*"),
    Part("geocode", "*", PAIR),
    Part("altitude", "?"),
    Part("ceiling", "?"),
)
CATEGORY = one_of(
    *("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE"),
    "Other",
)
RESPONSE = one_of(
    *("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
)
INFO = (
    Part("language", "?", LANGUAGE),
    Part("category", "+", CATEGORY),
    Part("event", "1"),
    Part("responseType", "*", RESPONSE),
    Part("urgency", "1", one_of("Immediate", "Expected", "Future", "Past", "Unknown")),
    Part("severity", "1", one_of("Extreme", "Severe", "Moderate", "Minor", "Unknown")),
    Part("certainty", "1", one_of("Observed", "Likely", "Possible", "Unlikely", "Unknown")),
    Part("audience", "?"),
    Part("eventCode", "*", PAIR),
    Part("effective", "?", WHEN),
    Part("onset", "?", WHEN),
    Part("expires", "?", WHEN),
    Part("senderName", "?"),
    Part("headline", "?"),
    Part("description", "?"),
    Part("instruction", "?"),
    Part("web", "?", URI),
    Part("contact", "?"),
    Part("parameter", "*", PAIR),
    Part("resource", "*"),
    Part("area", "*", AREA),
)
REFERENCES = re.compile(r"[^\s,<&]+,[^\s,<&]+,\S+( [^\s,<&]+,[^\s,<&]+,\S+)*")
ALERT = (
    Part("identifier", "1", NAME),
    Part("sender", "1", NAME),
    Part("sent", "1", WHEN),
    Part("status", "1", one_of("Actual", "Exercise", "System", "Test", "Draft")),
    Part("msgType", "1", one_of("Alert", "Update", "Cancel", "Ack", "Error")),
    Part("source", "?"),
    Part("scope", "1", one_of("Public", "Restricted", "Private")),
    Part("restriction", "?"),
    Part("addresses", "?"),
    Part("code", "*"),
    Part("note", "?"),
    Part("references", "?", REFERENCES),
    Part("incidents", "?"),
    Part("info", "*", INFO),
)


def faults(document: bytes) -> list[str]:
    """What a document breaks: of the schema, and of the rules the standard states beside it."""
    root = fromstring(document)
    if root.tag != f"{CAP}alert":
        return [f"the root is {root.tag}"]
    found = list(_faults(root, ALERT, "alert"))
    said = {child.tag.removeprefix(CAP): child.text for child in root}
    if said.get("scope") == "Restricted" and not said.get("restriction"):
        found.append("a restricted message must state its restriction")
    if said.get("msgType") != "Alert" and not said.get("references"):
        found.append("what updates or cancels must say what")
    return found


def _faults(element: Element, parts: tuple[Part, ...], where: str) -> list[str]:
    found, children = [], list(element)
    for part in parts:
        mine = []
        while children and children[0].tag == f"{CAP}{part.name}":
            mine.append(children.pop(0))
        if not {"1": 1, "+": 1}.get(part.number, 0) <= len(mine) <= {"1": 1, "?": 1}.get(part.number, 999):
            found.append(f"{where}: {len(mine)} {part.name}")
        for child in mine:
            path = f"{where}/{part.name}"
            if isinstance(part.form, tuple):
                found += _faults(child, part.form, path)
            elif not part.form.fullmatch(child.text or ""):
                found.append(f"{path}: {child.text!r}")
    return found + [f"{where}: {child.tag} is out of place" for child in children]
