"""What landed ticks and the ledger say of time: how far each timeline is, and when which rules came into force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from dagster_project.days.landed_ends import landed_ends
from dagster_project.days.ledger import complete
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract
from schemas.event import LIVE

_TICKS = """
SELECT topic, timeline, epoch, toInt64(min(toUnixTimestamp64Milli(arrived))),
    toInt64(min(toUnixTimestamp64Milli(clock))), toInt64(max(toUnixTimestamp64Milli(clock))), max(final)
FROM landing.tick GROUP BY topic, timeline, epoch"""


@dataclass
class Clocks:
    """By timeline: first tick (ms), the clock of each topic, (moment, rule epoch) in order; by topic: what ended.

    `unknown` are rule epochs that ticks name and that were never published here: they change no rules.
    """

    began: dict[str, int] = field(default_factory=dict)
    reached: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    ended: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    epochs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)


def clocks(open: Warehouse, newest: int) -> Clocks:
    """The clocks of everything landed; `newest` is the latest rule epoch that was published.

    A set of rules is in force from its first tick on: in a replay from the tick's clock, live from its arrival,
    for the live clock of a feed stays behind now by its lateness.
    """
    found = Clocks()
    moments: dict[str, dict[int, int]] = defaultdict(dict)
    for topic, timeline, epoch, arrived, first, last, final in open.rows(_TICKS):
        found.began[timeline] = min(found.began.get(timeline, first), first)
        reached = found.reached[timeline]
        reached[topic] = max(reached.get(topic, last), last)
        if final:
            found.ended[topic].add(timeline)
        if epoch > newest:
            found.unknown.add(epoch)
        elif epoch:
            at = arrived if timeline == LIVE else first
            moments[timeline][epoch] = min(moments[timeline].get(epoch, at), at)
    for timeline, known in moments.items():
        epochs = list[tuple[int, int]]()
        for at, epoch in sorted((at, epoch) for epoch, at in known.items()):
            if not epochs or epoch > epochs[-1][1]:
                epochs.append((at, epoch))
        found.epochs[timeline] = epochs
    return found


def complete_days(
    open: Warehouse,
    contracts: Sequence[Contract],
    ended: Mapping[str, set[str]],
    timeline: str,
    days: Sequence[date],
) -> dict[str, set[date]]:
    """By feed: the days of which nothing more is due on this timeline."""
    found = {}
    vectors = landed_ends(open, {contract.topic for contract in contracts})
    for contract in contracts:
        vector = vectors[contract.topic]
        others = {name for end in vector for name in end.watermarks} - {timeline}
        done = others | ended.get(contract.topic, set())
        found[contract.feed] = {day for day in days if complete(day, vector, contract.lateness, done)}
    return found
