"""The real land worker with contracts, consumer group and limits of a test: `python -m … <JSON>`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from deploy.environment import load_settings
from schemas.contract import Contract, load_contracts
from streams.land import worker
from streams.land.writer import Limits


def renamed(feed: str, name: str) -> Contract:
    """A contract as it is, for a feed, topic and table of the test's own."""
    return replace(load_contracts()[feed], feed=name, topic=f"feed.{name}")


def main(given: str) -> None:
    """Land the feeds that the test names."""
    plan = json.loads(given)
    contracts = [renamed(feed, name) for name, feed in plan["feeds"].items()]
    limits = Limits(**plan["limits"])
    worker.land(load_settings(), {c.topic: c for c in contracts}, limits, plan["group"], plan["instance"])


if __name__ == "__main__":
    main(sys.argv[1])
