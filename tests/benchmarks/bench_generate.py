"""What a generated event costs: every shipped feed with a `simulate` block, as lines, by process CPU time.

The baseline is encoding the same number of events of the feed, which no generator can do without. To reach:
50,000 events a second and core for every shape.
"""

from __future__ import annotations

import json
import time
from datetime import date

from deploy.cli.data.generate import all_places, generated_feeds
from schemas.event import encode_event
from schemas.fields import midnight
from streams.generate.model import Span
from streams.generate.world import make_world

TARGET = 50_000
UNTIL = date(2025, 6, 30)


def main(days: int = 10) -> None:
    """Print one JSON object a feed."""
    contracts = {contract.feed: contract for contract in generated_feeds([])}
    for feed in make_world(contracts.values(), all_places(), Span(days, UNTIL, 1)).feeds:
        begun = time.process_time()
        lines, last = 0, b""
        for line in feed.lines:
            lines += 1
            last = line.raw if line.dirt is None else last
        spent = time.process_time() - begun
        simulate = contracts[feed.name].simulate
        line_of = {
            "name": f"generate, {feed.name} ({simulate.shape if simulate else ''})",
            "value": round(lines / spent),
            "unit": "events/s a core",
            "baseline": round(lines / encoding(json.loads(last), lines)),
            "baseline_name": "encoding alone",
            "target": TARGET,
            "events": lines,
        }
        print(json.dumps(line_of), flush=True)


def encoding(event: dict[str, object], times: int) -> float:
    """Seconds of CPU it takes to write one event so many times."""
    data, moment = event["data"], midnight(UNTIL)
    assert isinstance(data, dict)
    begun = time.process_time()
    for _ in range(times):
        encode_event(
            id=str(event["id"]), source=str(event["source"]), type=str(event["type"]), time=moment, data=data
        )
    return time.process_time() - begun


if __name__ == "__main__":
    main()
