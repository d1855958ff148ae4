"""Why somebody is not on duty, or is told no more: as a code with parameters; words are made where it is shown.

Stored as JSON beside the English words that users' queries already read. What an earlier version stored has words
alone, and is shown as it stands; so is a code of a later version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from schemas.regions import load_regions
from schemas.texts import DEFAULT, Words, read_words

TEXTS = Path(__file__).parent / "reasons.yaml"
KEY = "reason"
"""Where a reason stands in the JSON of an audit entry or a warning."""
Given = Mapping[str, str | int]
NOBODY: Mapping[str, str] = {}


class Why(StrEnum):
    """What is the matter; each has its words in `reasons.yaml`."""

    NO_TEAM = "no_team"
    NO_SHIFT = "no_shift"
    TURN_TAKEN_AWAY = "turn_taken_away"
    TURN_WITHOUT_ACCOUNT = "turn_without_account"
    TURN_WITHOUT_ROLE = "turn_without_role"
    ACCOUNT_ENDED = "account_ended"
    ROLE_TAKEN = "role_taken"
    OFFICE_TAKEN = "office_taken"
    ROSE = "rose"
    MERGED_ROSE = "merged_rose"
    RECORDS_LOST = "records_lost"
    OVER = "over"
    TAKEN = "taken"
    ASKED_ANEW = "asked_anew"
    BEGINNING_UNTOLD = "beginning_untold"
    FOR_OTHERS = "for_others"
    SILENCE = "silence"
    GRAVER_CASE = "graver_case"


@dataclass(frozen=True)
class Reason:
    """One reason; `given` is what its words need: logins, names of teams and shifts, roles, codes of regions."""

    why: Why
    given: Given = field(default_factory=dict)

    def __str__(self) -> str:
        """Its English words, as they are stored and as commands show them."""
        return words_of(self)

    @property
    def stored(self) -> dict[str, Any]:
        """The reason as JSON values."""
        return {"why": self.why.value, "given": dict(self.given)}


def stored_reason(told: object) -> Reason | None:
    """The reason in the JSON of something stored; None where there is none, or one of a later version."""
    found = told.get(KEY) if isinstance(told, Mapping) else None
    if not isinstance(found, Mapping) or found.get("why") not in tuple(Why):
        return None
    given = found.get("given")
    reason = Reason(Why(found["why"]), dict(given) if isinstance(given, Mapping) else {})
    try:
        words_of(reason)
    except KeyError:  # its words need what a later version calls otherwise
        return None
    return reason


def words_of(reason: Reason, language: str = "en", names: Mapping[str, str] = NOBODY) -> str:
    """A reason in one line of words; `names` are those of officers by login."""
    words = reasons_words()[language]
    given = {key: _shown(words, key, each, names) for key, each in reason.given.items()}
    return words.texts[reason.why.value].format(**given)


@cache
def reasons_words() -> dict[str, Words]:
    """The words of reasons by language."""
    return read_words(TEXTS)


def _shown(words: Words, key: str, value: str | int, names: Mapping[str, str]) -> str | int:
    """A parameter as its text takes it: officers by name, regions in Chinese by theirs, levels by their words."""
    if key == "login":
        return names.get(str(value), value)
    if key == "region" and words.language == DEFAULT:
        region = load_regions().get(str(value))
        return region.name if region else value
    code = f"{key}_{value}"
    return words(code) if words.has(code) else value
