"""A rule tried on a list of events, without any server: the same code as the worker's, on a log made up here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.contract import Contract
from schemas.declaration import parse_duration
from schemas.decoder import Decoder
from schemas.event import encode_event, encode_tick
from streams.watch.episode import Transition
from streams.watch.partition import Partition, milliseconds
from streams.watch.rule import Example, Rule


@dataclass(frozen=True)
class Entry:
    """One record of a log that was never in Kafka."""

    offset: int
    timestamp: int
    value: bytes | None


def evaluate(contract: Contract, rules: Sequence[Rule], log: Iterable[Entry]) -> list[Transition]:
    """The transitions rules make on a log of one partition."""
    found: list[Transition] = []
    Partition(contract, Decoder(contract).decode, rules, contract.topic, 0).observe(log, found.append)
    return found


def example_log(contract: Contract, example: Example) -> list[Entry]:
    """An example's events as a log, each arriving when it occurred, and the clock at its end."""
    values = list(_example_values(contract, example))
    return [Entry(offset, milliseconds(at), value) for offset, (at, value) in enumerate(values)]


def _example_values(contract: Contract, example: Example) -> Iterator[tuple[datetime, bytes]]:
    for number, event in enumerate(example.events):
        start = datetime.fromisoformat(event["time"])
        step = parse_duration(event.get("every", "PT0S")) or timedelta(0)
        for again in range(event.get("repeat", 1)):
            at = start + again * step
            yield (
                at,
                encode_event(
                    id=f"{number}-{again}",
                    source="/example",
                    type=contract.event_type,
                    time=at,
                    data=event["data"],
                ),
            )
    if example.until:
        at = datetime.fromisoformat(example.until)
        yield at, encode_tick(id="until", clock=at)
