"""The life of a case: its states, what may be done in each, and where that leads. Pure.

new -> acknowledged -> in_disposal -> disposed -> confirmed -> closed. Reassigning a case that somebody had
taken makes it new again: whoever gets it has to say that he has it. Reopening does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.levels import LEVELS
from streams.duty.refusals import Conflict

STATES = ("new", "acknowledged", "in_disposal", "disposed", "confirmed", "closed")
NEW, ACKNOWLEDGED, IN_DISPOSAL, DISPOSED, CONFIRMED, CLOSED = STATES
OPEN = STATES[:-1]
VERDICTS = ("true", "false", "drill", "duplicate")

ENTRIES = {
    "opened": "the warning became a case",
    "assigned": "it waits for the officer on duty",
    "acknowledged": "an officer has it",
    "started": "disposal began",
    "disposed": "what was done is written down",
    "confirmed": "true, false, drill or duplicate",
    "closed": "nothing is left to do",
    "reopened": "it is to be dealt with again",
    "reassigned": "another officer has to take it",
    "escalated": "it went to the next in the chain",
    "merged": "it is dealt with in another case",
    "absorbed": "another case was merged into this one",
    "commented": "a remark",
    "attached": "a file was attached",
    "raised": "the warning's level rose",
    "lowered": "the warning's level fell",
    "recovered": "the warning is over",
    "cancelled": "the warning was taken back",
    "overdue": "the time limit for closing has passed",
    "undelivered": "a message about it did not arrive by its channel",
    "feedback": "the same is to be looked for in other places",
    "answered": "a follow-up case of it was closed",
}
"""Every kind of audit entry."""


@dataclass(frozen=True)
class Change:
    """One thing an officer may do: the entry it makes, the states it starts from, the one it leads to."""

    entry: str
    sources: tuple[str, ...]
    target: str = ""

    def after(self, state: str) -> str:
        """The state after it."""
        if not self.target:
            return state
        return self.target


CHANGES = {
    "acknowledge": Change("acknowledged", (NEW,), ACKNOWLEDGED),
    "start": Change("started", (ACKNOWLEDGED,), IN_DISPOSAL),
    "dispose": Change("disposed", (ACKNOWLEDGED, IN_DISPOSAL), DISPOSED),
    "confirm": Change("confirmed", (DISPOSED,), CONFIRMED),
    "close": Change("closed", (CONFIRMED,), CLOSED),
    "reopen": Change("reopened", (DISPOSED, CONFIRMED, CLOSED), NEW),
    "reassign": Change("reassigned", OPEN),
    "escalate": Change("escalated", (NEW, ACKNOWLEDGED, IN_DISPOSAL)),
    "merge": Change("merged", OPEN, CLOSED),
    "require_feedback": Change("feedback", (DISPOSED, CONFIRMED)),
    "comment": Change("commented", STATES),
    "attach": Change("attached", STATES),
}
"""What officers do, by verb."""


def change(verb: str, state: str) -> Change:
    """The change a verb makes to a case in this state; Conflict where it may not be made."""
    wanted = CHANGES[verb]
    if state not in wanted.sources:
        raise Conflict(
            f"a case that is {state} cannot be {wanted.entry}; it must be {_either(wanted.sources)}"
        )
    return wanted


def possible(state: str) -> tuple[str, ...]:
    """The verbs a case in this state allows."""
    return tuple(verb for verb, each in CHANGES.items() if state in each.sources)


def after_reassigning(state: str) -> str:
    """A case whose new officer has to acknowledge it is new; one that waits for its end stays as it is."""
    return NEW if state in (ACKNOWLEDGED, IN_DISPOSAL) else state


def rank(level: str) -> int:
    """0 for red to 3 for blue."""
    return LEVELS.index(level)


def worse(one: str, other: str) -> str:
    """The graver of two levels."""
    return min(one, other, key=rank)


def _either(states: tuple[str, ...]) -> str:
    return states[0] if len(states) == 1 else f"{', '.join(states[:-1])} or {states[-1]}"
