"""The rules of a folder: each read from its file, and looked at as one set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from schemas.contract import Contract
from schemas.declaration import read_all
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_set import check_members
from streams.watch.declare.rule_yaml import read_rule

RULES = Path(__file__).parents[1] / "rules"


def load_rules(
    contracts: Mapping[str, Contract], root: Path = RULES, *, drafts: bool = False
) -> tuple[Rule, ...]:
    """All active rules under a folder, `<domain>/<rule>.yaml`, in order of their ids; a wrong one is Misdeclared.

    With `drafts` also those that are only being tried. Composites among them must name rules that are there.
    """
    paths = sorted(root.glob("*/*.yaml"))
    rules = tuple(read_all(lambda path: load_rule(path, contracts, root), paths))
    places = (f"{path.parent.name}/{path.name}" for path in paths)
    check_members(rules, {rule.id: place for rule, place in zip(rules, places, strict=True)})
    return tuple(rule for rule in rules if drafts or rule.status == "active")


def load_rule(path: Path, contracts: Mapping[str, Contract], root: Path | None = RULES) -> Rule:
    """The rule in one file; under the folder of rules its id must be its place, `<domain>.<name>`."""
    return read_rule(path, contracts, root)
