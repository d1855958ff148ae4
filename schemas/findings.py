"""What the gate finds as values: which check, what was found, with numbers and names; words are made where shown.

Stored beside a verdict and a task as JSON, one text a finding. What was stored as a sentence by an earlier version
reads as the code `told`, and is shown as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from schemas.regions import load_regions
from schemas.texts import Words, read_words

TEXTS = Path(__file__).parent / "findings.yaml"
NAMED = 5
"""So many regions are named, the others counted."""


class Found(StrEnum):
    """What was found; each has its words in `findings.yaml`."""

    QUARANTINED = "quarantined"
    DRIFTED = "drifted"
    DRIFTED_FROM_NOTHING = "drifted_from_nothing"
    REGIONS_MISSING = "regions_missing"
    FELL_SILENT = "fell_silent"
    RANKED_ALTHOUGH_MISSING = "ranked_although_missing"
    RANKS_WRONG = "ranks_wrong"
    GAP = "gap"
    ROWS_DISAGREE = "rows_disagree"
    ROWS_BROKEN = "rows_broken"
    ROW_COUNT = "row_count"
    UNCHECKED = "unchecked"
    NOT_BUILT = "not_built"
    NO_VERDICT = "no_verdict"
    STILL_SENT = "still_sent"
    TOLD = "told"


@dataclass(frozen=True)
class Finding:
    """One thing that did not hold.

    `check` names what was asked (an expectation's label), `kind` and `columns` are its parts; empty where nothing
    was asked. `given` is what words need: numbers, codes, ISO dates. `span`: found somewhere between two days.
    """

    found: Found
    given: Mapping[str, Any] = field(default_factory=dict)
    check: str = ""
    kind: str = ""
    columns: tuple[str, ...] = ()
    span: tuple[date, date] | None = None


NO_VERDICT = Finding(Found.NO_VERDICT)


def encode(finding: Finding) -> str:
    """A finding as it is stored."""
    return msgspec.json.encode(finding).decode()


def decode(text: str) -> Finding:
    """A stored finding; one whose code a later version wrote says at least which check it was."""
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        known = msgspec.json.decode(text)
        check = str(known.get("check", "")) if isinstance(known, dict) else ""
        return Finding(Found.TOLD, {"words": text}, check)


def words_of(finding: Finding, language: str = "en") -> str:
    """A finding in one line of words."""
    words = findings_words()[language]
    shown = {key: _shown(words, key, value) for key, value in finding.given.items()}
    found = words(finding.found.value, **shown)
    if finding.span:
        found = words("within", found=found, first=finding.span[0], last=finding.span[1])
    return words("finding", check=check_words(finding, language), found=found) if finding.check else found


def check_words(finding: Finding, language: str) -> str:
    """What was asked, in words: in English its label."""
    words, name = findings_words()[language], f"check_{finding.kind}"
    if language == "en" or not words.has(name):
        return finding.check
    if not finding.columns:
        return words(name)
    return words("check_of", check=words(name), columns=words("comma").join(finding.columns))


@cache
def findings_words() -> dict[str, Words]:
    """The words of findings by language."""
    return read_words(TEXTS)


def _shown(words: Words, key: str, value: Any) -> Any:
    """A parameter as its text takes it: codes by their words, regions by name, moments to the second."""
    if key == "missing":
        more = words("and_more", count=len(value) - NAMED) if len(value) > NAMED else ""
        return words("comma").join(_region(code) for code in value[:NAMED]) + more
    if key == "regions":
        return words("comma").join(value[:NAMED])
    if key == "arrived":
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S %z}"
    code = f"{key}_{value}" if isinstance(value, str) else ""
    return words(code) if words.has(code) else value


def _region(code: str) -> str:
    region = load_regions().get(code)
    return f"{code} {region.name}" if region else code


_DECODER = msgspec.json.Decoder(Finding)
