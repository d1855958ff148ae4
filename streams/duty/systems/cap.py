"""CAP 1.2 messages: each transition of a warning as an XML document other systems read. Pure.

An episode's first message is an Alert, every change of its level an Update, its end a Cancel; each names all that
went before it in `references`. Nothing personal is said: no officer, no evidence, no remark. Source: OASIS Common
Alerting Protocol 1.2 (OASIS Standard, 2010-07-01), sections 3.2 and 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from schemas.fields import SHANGHAI
from schemas.regions import Region
from streams.duty.notify.channels.message import LEVEL_ZH

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
TYPES = {
    "opened": "Alert",
    "raised": "Update",
    "lowered": "Update",
    "recovered": "Cancel",
    "cancelled": "Cancel",
}
"""Transition -> msgType."""
ENDS = ("recovered", "cancelled")
CATEGORIES = {"ecology": "Env", "health": "Health", "governance": "Safety"}
"""Domain of the rule -> category; any other domain is `Other`."""
SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
URGENCY = {"red": "Immediate", "orange": "Expected", "yellow": "Expected", "blue": "Future"}
LEVEL_EN = {"red": "Red", "orange": "Orange", "yellow": "Yellow", "blue": "Blue"}
GEOCODE = "GB/T 2260"
RESTRICTION = "Government duty desks and the systems they have given a token"


@dataclass(frozen=True)
class Earlier:
    """A message that was told before of the same episode."""

    identifier: str
    sent: datetime


@dataclass(frozen=True)
class Told:
    """One transition of one episode as it is told. `event` is the rule's title in Chinese and in English.

    `replay` says that the events were played back: nobody has to act.
    """

    identifier: str
    kind: str
    sent: datetime
    level: str
    title: str
    event: tuple[str, str]
    rule: str
    subject: str
    region: Region
    onset: datetime
    runbook: str = ""
    value: float | None = None
    threshold: float | None = None
    replay: bool = False
    earlier: Sequence[Earlier] = ()
    web: str = ""


def identifier(uid: str, ordinal: int) -> str:
    """Of the case's entry: unique for a sender; no space, comma, `<` or `&`."""
    return f"{uid}.{ordinal}"


def document(told: Told, sender: str) -> bytes:
    """The CAP message, UTF-8."""
    alert = Element("alert", xmlns=NAMESPACE)
    _texts(
        alert,
        {
            "identifier": told.identifier,
            "sender": sender,
            "sent": moment(told.sent),
            "status": "Test" if told.replay else "Actual",
            "msgType": TYPES[told.kind],
            "scope": "Restricted",
            "restriction": RESTRICTION,
            "references": references(told.earlier, sender),
        },
    )
    for language in ("zh-CN", "en-US"):
        _info(SubElement(alert, "info"), told, language)
    return serialised(alert)


def references(earlier: Iterable[Earlier], sender: str) -> str:
    """`sender,identifier,sent` of each, with spaces between; empty for the first message."""
    return " ".join(f"{sender},{each.identifier},{moment(each.sent)}" for each in earlier)


def moment(at: datetime) -> str:
    """CAP's form: seconds and an offset, never `Z`."""
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds")


def headline(told: Told, language: str) -> str:
    """One line: level, what, where; and that it is over."""
    if language == "zh-CN":
        over = "解除" if told.kind in ENDS else ""
        return f"[{LEVEL_ZH[told.level]}预警{over}] {told.title}"
    over = " is over" if told.kind in ENDS else ""
    return f"{LEVEL_EN[told.level]} warning{over}: {told.event[1]}, {told.region.name_en}"


def description(told: Told, language: str) -> str:
    """The figures in words."""
    words = ("对象", "数值", "阈值") if language == "zh-CN" else ("Subject", "Value", "Threshold")
    figures = (told.subject, _number(told.value), _number(told.threshold))
    return "\n".join(f"{word}: {said}" for word, said in zip(words, figures, strict=True) if said)


def _info(info: Element, told: Told, language: str) -> None:
    over, here = told.kind in ENDS, 0 if language == "zh-CN" else 1
    _texts(
        info,
        {
            "language": language,
            "category": CATEGORIES.get(told.rule.partition(".")[0], "Other"),
            "event": told.event[here],
            "responseType": "AllClear" if over else "Execute" if told.runbook else "Assess",
            "urgency": "Past" if over else URGENCY[told.level],
            "severity": SEVERITY[told.level],
            "certainty": "Observed",
        },
    )
    _pair(info, "eventCode", "liaowang-rule", told.rule)
    _texts(
        info,
        {
            "effective": moment(told.sent),
            "onset": moment(told.onset),
            "senderName": ("瞭望", "Liaowang")[here],
            "headline": headline(told, language),
            "description": description(told, language),
            "instruction": "" if over else told.runbook,
            "web": told.web,
        },
    )
    figures = {"level": told.level, "value": _number(told.value), "threshold": _number(told.threshold)}
    for name, said in figures.items():
        if said:
            _pair(info, "parameter", name, said)
    area = SubElement(info, "area")
    _texts(area, {"areaDesc": (told.region.name, told.region.name_en)[here]})
    _pair(area, "geocode", GEOCODE, told.region.code)


def _texts(parent: Element, said: Mapping[str, str]) -> None:
    """An element each, in this order; those without text are left out."""
    for name, text in said.items():
        if written := plain(text):
            SubElement(parent, name).text = written


def _pair(parent: Element, name: str, key: str, value: str) -> None:
    pair = SubElement(parent, name)
    _texts(pair, {"valueName": key, "value": value})


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """Without what XML 1.0 cannot hold; a title of events' values may hold anything."""
    return _UNWRITABLE.sub("", text)


def serialised(root: Element) -> bytes:
    """The document, UTF-8."""
    said: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return said
