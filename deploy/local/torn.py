"""Whether the parts of a home are of one moment: pure, over what each of them says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from schemas.topics import DISPOSITIONS, WARNINGS, WATCH_GROUP

EXAMPLES = 3
AGAIN = "they are published again by `liaowang down` and `up`"
_BY_ID = "it reads from the beginning again, and knows by their ids what it has"
_AND_THEN = {
    "push": _BY_ID,
    "duty": _BY_ID,
    WATCH_GROUP: "watch begins these partitions anew, and what was open there stays so",
    "liaowang-land": "land goes by its ledger, and stops where that is ahead of the log",
}
ELSE = "restore all of the home from one copy"
"""What becomes of a group whose log is older than what it has read."""
OLDER_LOG = (
    "the log is older than they are, and what was sent after it was copied is not in it: restore all of the home "
    "from one copy, or send those events again (what is known is known by its id)"
)


@dataclass(frozen=True)
class Tear:
    """One contradiction between two parts: what, how many, a few of them, and what to do or what was done."""

    what: str
    number: int
    examples: tuple[str, ...]
    remedy: str
    mended: bool = False

    def __str__(self) -> str:
        some = f" ({', '.join(self.examples)}{', …' if self.number > len(self.examples) else ''})"
        return f"{self.number} {self.what}{some if self.examples else ''}: {self.remedy}"


@dataclass(frozen=True)
class Said:
    """What the parts say: ids on both topics; pushed, heard, published (read before the topics); known (after)."""

    warnings: Collection[str]
    pushes: Collection[str]
    heard: Mapping[str, str]
    dispositions: Collection[str]
    published: Collection[str]
    known: Collection[str]


def tears(said: Said) -> list[Tear]:
    """Pushes and cases without a warning in the log, and dispositions that are on one side only.

    `heard`: id of a transition -> its case. What retention removed is not given here.
    """
    found = [
        _tear(f"pushes without a warning on {WARNINGS}", set(said.pushes) - set(said.warnings), OLDER_LOG),
        _tear(
            f"cases without a warning on {WARNINGS}",
            {case for id, case in said.heard.items() if id not in said.warnings and case},
            OLDER_LOG,
        ),
        _tear(
            f"changes of cases that were published, but are not on {DISPOSITIONS}",
            set(said.published) - set(said.dispositions),
            AGAIN,
        ),
        _tear(
            f"changes of cases on {DISPOSITIONS} that the duty database does not know",
            set(said.dispositions) - set(said.known),
            "the duty database is older than the log: restore a newer backup of it, or go on and know that what "
            "officers did meanwhile is in the warehouse only",
        ),
    ]
    return [tear for tear in found if tear is not None]


def _tear(what: str, ids: Collection[str], remedy: str) -> Tear | None:
    if not ids:
        return None
    return Tear(what, len(ids), tuple(sorted(ids)[:EXAMPLES]), remedy)


def beyond(group: str, committed: Mapping[str, int], ends: Mapping[str, int]) -> Tear | None:
    """Where a group has read further than the log goes; partitions by name `topic/number`."""
    ahead = sorted(place for place, offset in committed.items() if offset > ends.get(place, 0))
    if not ahead:
        return None
    remedy = f"the log is older than what {group} has read of it; {_AND_THEN.get(group, ELSE)}"
    return Tear(
        f"partitions that {group} has read further than they go", len(ahead), tuple(ahead[:EXAMPLES]), remedy
    )


def ledger_beyond(ahead: Sequence[str]) -> Tear | None:
    """Partitions of which the warehouse's ledger accounts for more than the broker has."""
    if not ahead:
        return None
    remedy = (
        "the warehouse is newer than the log, and land stops there: restore the whole log, or recreate the topic "
        "(docs/operations.md, Incidents)"
    )
    return Tear("partitions landed further than they go", len(ahead), tuple(ahead[:EXAMPLES]), remedy)
