"""What becomes of a rule's records when it is edited: open episodes go on, unless their subject is another one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from streams.watch.declare.rule import Rule
from streams.watch.episodes.dwell import HOLDS, PENDING
from streams.watch.episodes.episode import DWELL, HELD, LEVEL, OWN, Emit, Moment, Record, cancel

RULE_CHANGED = "rule-changed"
RULE_RETIRED = "rule-retired"
CONTRACT_CHANGED = "contract-changed"
"""The feed's name stands for another major version now: the same rule goes on there, from nothing."""


def adopt(
    old: Rule, new: Rule | None, records: Mapping[str, Record], now: Moment, emit: Emit, reason: str = ""
) -> dict[str, Record]:
    """The records the new rule goes on with; open episodes it cannot go on with are cancelled.

    Where subject, region and feeds are the same, records are taken over: an open episode keeps its start, level
    and ordinals, and the next evaluation moves it where the new bounds say. What the condition itself remembers
    is kept where the new one would remember the same. A kind that remembers otherwise starts anew with the
    episode open. Another subject (or a rule that is judged here no more: None) takes nothing over: what is open is
    cancelled, for the `reason` where one is given.
    """
    if new is None or not _same_subjects(old, new):
        for name, record in sorted(records.items()):
            if record[LEVEL]:
                close(old, name, record, now, emit, reason or ended_by(old, new))
        return {}
    same = _same_memory(old, new)
    declared = {rank for rank, _ in new.bounds}
    taken = {}
    for name, record in records.items():
        if not same and not record[LEVEL]:
            continue
        kept = copy.deepcopy(record)
        kept.extend([None] * (HELD + 1 - len(kept)))
        kept[DWELL] = _dwell(kept, declared) if new.damped else None
        if not same:
            kept[OWN], kept[HELD], kept[DWELL] = None, None, None
        taken[name] = kept
    return taken


def ended_by(old: Rule, new: Rule | None) -> str:
    """Why a rule is not judged as it was: it is retired, it changed, or its feed's newest major version did."""
    if new is None:
        return RULE_RETIRED
    return CONTRACT_CHANGED if new.version == old.version else RULE_CHANGED


def close(rule: Rule, name: str, record: Record, now: Moment, emit: Emit, reason: str = RULE_CHANGED) -> None:
    """Cancel the open episode of a record that `adopt` did not take over."""
    subject = record[OWN][2] if rule.kind == "sequence" and record[OWN] else name
    cancel(rule, subject, record, reason, now, emit)


def _same_subjects(old: Rule, new: Rule) -> bool:
    """Whether a record stands for the same subject in both."""
    return [(each.feed, each.subject, each.key) for each in old.inputs] == [
        (each.feed, each.subject, each.key) for each in new.inputs
    ]


def _same_memory(old: Rule, new: Rule) -> bool:
    """Whether both remember the same of the same events."""
    return (old.kind, old.spec, [each.where for each in old.inputs], old.wait) == (
        new.kind, new.spec, [each.where for each in new.inputs], new.wait,
    ) and old.window == new.window  # fmt: skip


def _dwell(record: Record, declared: set[int]) -> list[Any] | None:
    """What is pending or falling, as far as the new rule has those levels."""
    dwell: list[Any] | None = record[DWELL]
    if dwell is None:
        return None
    dwell[HOLDS] = [rank for rank in dwell[HOLDS] if rank in declared]
    lowest = min(declared)
    if record[LEVEL] and lowest not in dwell[HOLDS]:
        dwell[HOLDS].append(lowest)
    for since in dwell[PENDING : HOLDS + 2 : 2]:
        for rank in [rank for rank in since if rank not in declared]:
            del since[rank]
    return dwell
