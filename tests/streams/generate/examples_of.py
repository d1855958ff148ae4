"""Feeds and rules that exist for tests alone, one or more of each shape the shipped feeds do not have."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.simulate.model import Simulate
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule

EXAMPLES = Path(__file__).parent / "examples"


@cache
def examples() -> dict[str, Contract]:
    """The contracts by feed."""
    return load_contracts(EXAMPLES / "feeds")


@cache
def example_rules() -> tuple[Rule, ...]:
    """The rules of these feeds."""
    return load_rules(examples(), EXAMPLES / "rules")


@cache
def example_decoders() -> dict[str, Decoder]:
    """A decoder for each of these feeds."""
    return {feed: Decoder(contract) for feed, contract in examples().items()}


def block(feed: str) -> Simulate:
    """How one of these feeds is made up."""
    simulate = examples()[feed].simulate
    assert simulate is not None
    return simulate
