"""A rule tried on a file of events: what `liaowang rules run` does, and how it says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.contract import Contract
from streams.watch.declare.baseline import BaselineTable, read_baseline
from streams.watch.declare.rule import Rule
from streams.watch.engine.trial_events import BadLine, LineReader, TrialEvent, arrivals, by_time, in_time
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import evidence_of, render_runbook
from streams.watch.trial.offline import Offline, State, with_members

MOMENTS = ("watermark", "since", "first")
"""What evidence has in milliseconds."""


@dataclass
class Trial:
    """One rule with its members over lines of events; `bad` holds the lines that could not be taken.

    With `sort` the lines are taken in order of time, not as they stand.
    """

    contracts: Mapping[str, Contract]
    rules: Sequence[Rule]
    rule: Rule
    baselines: Mapping[str, BaselineTable]
    states: bool = False
    sort: bool = False

    def __post_init__(self) -> None:
        self.offline = Offline(self.contracts, with_members(self.rules, self.rule), self.baselines)
        self.bad: list[BadLine] = []
        self.lines = 0
        self._told: dict[str, State] = {}

    def run(self, lines: Iterable[bytes], until: datetime | None) -> Iterator[Transition | State]:
        """The rule's transitions as they come; or with `states` each event's subject's state after it.

        After a tick, and at the end, the states that time has changed.
        """
        reader = LineReader({feed: self.contracts[feed] for feed in self.offline.feeds})
        found: list[Transition] = []
        read = reader.read(lines)
        last: TrialEvent | None = None
        ordered = arrivals(by_time(read) if self.sort else read, self.offline.disorder)
        for each in in_time(ordered, self.contracts):
            if isinstance(each, BadLine):
                self.bad.append(each)
                continue
            self.lines += 1
            self.offline.take(each, found.append)
            yield from self._own(found)
            if self.states:
                yield from self._states(each)
            last = each
        end = self.offline.finish(found.append, until)
        yield from self._own(found)
        if self.states and last is not None and end is not None:
            yield from self._states(replace(last, at=end, tick=True))

    def _states(self, each: TrialEvent) -> Iterator[State]:
        """What there is to tell after an event or a tick: of a tick only what is not as it was told last."""
        now = {state.subject: state for state in self.offline.states(self.rule, each)}
        if each.tick:
            gone = self._told.keys() - now.keys()
            now |= {subject: State(subject, each.at, "inactive", "") for subject in sorted(gone)}
            now = {subject: state for subject, state in now.items() if self._changed(state)}
        self._told |= now
        yield from now.values()

    def _changed(self, state: State) -> bool:
        before = self._told.get(state.subject)
        return before is None or (before.state, before.level) != (state.state, state.level)

    def _own(self, found: list[Transition]) -> list[Transition]:
        own = [] if self.states else [each for each in found if each.rule == self.rule.id]
        found.clear()
        return own

    def summary(self) -> str:
        """What has become of the lines."""
        tallies = [part.tally for part in self.offline.parts.values()]
        late, copies = (sum(getattr(tally, name) for tally in tallies) for name in ("late", "duplicates"))
        hint = " (out of order by more than the feed's lateness; --order time sorts them)" if late else ""
        return f"{self.lines} lines taken, {copies} copies, {late} too late{hint}, {len(self.bad)} unreadable"


def as_json(found: Transition | State, rule: Rule) -> dict[str, Any]:
    """A transition as one JSON object, times in ISO 8601."""
    if isinstance(found, State):
        return {
            "subject": found.subject,
            "at": _iso(found.at),
            "state": found.state,
            "level": found.level or None,
        }
    return {
        "id": found.id,
        "rule": found.rule,
        "subject": found.subject,
        "region": found.region or None,
        "transition": found.kind,
        "level": found.level,
        "previous": found.previous or None,
        "at": _iso(found.at),
        "episode": found.episode,
        "ordinal": found.ordinal,
        "evidence": {
            "value": found.value,
            "threshold": found.threshold,
            "rule_version": found.rule_version,
            **evidence_of(found),
            **{name: _iso(value) for name, value in evidence_of(found).items() if name in MOMENTS},
        },
        "runbook": render_runbook(rule, found),
        "duty_role": rule.duty_role,
    }


def load_baselines(paths: Iterable[Path]) -> dict[str, BaselineTable]:
    """Baseline tables from CSV files, each named as its file."""
    return {path.stem: read_baseline(1, path) for path in paths}


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
