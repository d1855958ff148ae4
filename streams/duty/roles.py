"""The duty roles that rules name: each must have somebody."""

from __future__ import annotations

from schemas.contract import load_contracts
from streams.watch.rule import load_rules


def roles_of_rules() -> frozenset[str]:
    """The duty roles of all early-warning rules."""
    return frozenset(rule.duty_role for rule in load_rules(load_contracts()))
