"""Cases and entries as the pages show them: names instead of codes, in the visitor's language. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.regions import Regions
from schemas.subject import split
from streams.console.chart import number
from streams.console.i18n import Words
from streams.duty.accounts.rights import PLATFORM, Origin
from streams.duty.cases.escalation import NOBODY_ELSE
from streams.duty.database.models import AuditEntry, Case
from streams.duty.lifecycle import CLOSED
from streams.duty.reasons import stored_reason, words_of
from streams.watch.declare.rule import Rule

ORIGINS = {origin.value: f"from_{origin.name.lower()}" for origin in Origin}
"""Where the platform's own entries come from, by the word for it."""


@dataclass(frozen=True)
class Naming:
    """What turns codes into names."""

    words: Words
    regions: Regions
    rules: Mapping[str, Rule]

    def region(self, code: str) -> str:
        """A region with the city it lies in; what is on no tree stands as it is."""
        found = self.regions.get(code)
        if found is None:
            return code or self.words("no_region")
        name = self.words.of(found.name, found.name_en)
        city = self.regions.city_of(code)
        if city is None or city.code == code:
            return name
        above = self.words.of(city.name, city.name_en)
        return self.words.of(f"{above}{name}", f"{name}, {above}")

    def subject(self, subject: str) -> str:
        """A subject with names for the region codes in it."""
        return " · ".join(self.region(part) if part else "–" for part in split(subject))

    def title(self, case: Case) -> str:
        """A case's title; in English where its rule has one."""
        return self.title_of(case.rule if case.kind == "warning" else "", case.title)

    def title_of(self, rule: str, title: str) -> str:
        """The title of what a rule warned of; in English where the rule has one."""
        known = self.rules.get(rule)
        return self.words.of(title, known.title_en if known is not None else "")


@dataclass(frozen=True)
class CaseView:
    """One case, ready to be shown."""

    id: int
    version: int
    title: str
    level: str
    peak: str
    state: str
    verdict: str | None
    rule: str
    rule_version: int | None
    subject: str
    subject_name: str
    region: str
    region_name: str
    role: str
    timeline: str
    runbook: str
    officer: str
    value: float | None
    threshold: float | None
    occurred: datetime
    opened: datetime
    acknowledge_by: datetime
    close_by: datetime
    recovered: datetime | None
    overdue: bool
    origin: int | None
    merged: int | None


def case_view(case: Case, naming: Naming, now: datetime) -> CaseView:
    """A case as it stands now."""
    waiting = case.state == "new" and now > case.acknowledge_by
    return CaseView(
        id=case.id,
        version=case.version,
        title=naming.title(case),
        level=case.level,
        peak=case.peak,
        state=case.state,
        verdict=case.verdict,
        rule=case.rule,
        rule_version=case.rule_version,
        subject=case.subject,
        subject_name=naming.subject(case.subject),
        region=case.region,
        region_name=naming.region(case.region),
        role=case.role,
        timeline=case.timeline,
        runbook=case.runbook,
        officer=case.assignee.name if case.assignee else "",
        value=case.value,
        threshold=case.threshold,
        occurred=case.occurred,
        opened=case.opened,
        acknowledge_by=case.acknowledge_by,
        close_by=case.close_by,
        recovered=case.recovered,
        overdue=case.state != CLOSED and (waiting or now > case.close_by),
        origin=case.origin_id,
        merged=case.merged_into_id,
    )


@dataclass(frozen=True)
class EntryView:
    """One line of a timeline; `who` is a name where there is one."""

    kind: str
    at: datetime
    who: str
    origin: str
    text: str
    detail: str
    level: str
    level_changed: bool


def entry_views(entries: Sequence[AuditEntry], names: Mapping[str, str], words: Words) -> list[EntryView]:
    """The timeline, from its beginning on."""
    views = []
    for entry in entries:
        views.append(
            EntryView(
                kind=entry.kind,
                at=entry.at,
                who=words("platform") if entry.who == PLATFORM else names.get(entry.who, entry.who),
                origin=words(ORIGINS[entry.origin]) if entry.origin in ORIGINS else entry.origin,
                text=entry_text(entry, names, words),
                detail=detail_text(entry, names, words),
                level=entry.level,
                level_changed=entry.kind in ("opened", "raised", "lowered"),
            )
        )
    return views


def entry_text(entry: AuditEntry, names: Mapping[str, str], words: Words) -> str:
    """What somebody wrote as it stands; what the platform wrote in the words of the reader's language."""
    reason = stored_reason(_told(entry))
    return words_of(reason, words.language, names) if reason is not None else entry.text


def detail_text(entry: AuditEntry, names: Mapping[str, str], words: Words) -> str:
    """What an entry says beside its text, in words; empty where it says nothing a reader needs."""
    told = _told(entry)
    if entry.kind == "confirmed" and words.has(f"verdict_{told.get('verdict')}"):
        return words(f"verdict_{told['verdict']}")
    if told.get("kind") == NOBODY_ELSE:
        return words("nobody_else")
    if entry.kind in ("assigned", "escalated"):
        return f"→ {names.get(str(told.get('to')), told.get('to') or words('nobody'))}"
    if entry.kind in ("opened", "raised", "lowered") and told.get("value") is not None:
        return f"{words('value')} {_number(told['value'])} · {words('threshold')} {_number(told.get('threshold'))}"
    if entry.kind == "reassigned":
        before, after = (str(told.get(key) or words("nobody")) for key in ("from", "to"))
        return f"{names.get(before, before)} → {names.get(after, after)}"
    if entry.kind in ("merged", "absorbed", "answered", "feedback"):
        cases = told.get("cases") or [told.get("into") or told.get("case")]
        return ", ".join(f"#{case}" for case in cases if case is not None)
    if entry.kind == "undelivered":
        return _undelivered(told, words)
    if entry.kind == "attached" and told.get("name"):
        return str(told["name"])
    return ""


def _undelivered(told: Mapping[str, Any], words: Words) -> str:
    given = {key: told.get(key) for key in ("channel", "reason", "instead")}
    return words("sent_instead" if given["instead"] else "sent_nowhere", **given)


def _told(entry: AuditEntry) -> Mapping[str, Any]:
    """What is kept with an entry; nothing where it cannot be read."""
    try:
        told = json.loads(entry.detail)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: object) -> str:
    return number(value) if isinstance(value, int | float) else "–"
