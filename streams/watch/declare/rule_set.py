"""A set of rules: members of composites are there, nothing is made of itself, and the order to evaluate in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from schemas.errors import Misdeclared, together
from schemas.roles import Roles, load_roles
from streams.watch.declare.rule import Rule


def check_members(
    rules: Iterable[Rule], files: Mapping[str, str] = MappingProxyType({}), there: Iterable[str] = ()
) -> None:
    """Raise Misdeclared for an id that stands twice, a member that is not there, or a cycle among composites.

    `files` says where rules stand, by id; others are named by their id. `there`: ids of rules that were not read.
    """
    known: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in known:
            raise Misdeclared(rule.id, "rule", "two files declare this id; give each its own")
        known[rule.id] = rule
    for rule in known.values():
        where = files.get(rule.id, rule.id)
        for member in rule.members:
            if member not in known:
                others = ", ".join(id for id in dict.fromkeys((*known, *there)) if id != rule.id) or "none"
                raise Misdeclared(where, "condition.of", f"no such rule: {member}; there are {others}")
            if rule.status == "active" and known[member].status != "active":
                raise Misdeclared(where, "condition.of", f"{member} is a draft; let this rule be one, too")
    ordered(known.values())


def check_roles(
    rules: Iterable[Rule], files: Mapping[str, str] = MappingProxyType({}), roles: Roles | None = None
) -> None:
    """Raise Misdeclared for a rule whose `duty_role` is none: nobody would be told of what it warns of."""
    known = roles or load_roles()
    wrong = [
        Misdeclared(files.get(rule.id, rule.id), "duty_role", known.unknown(rule.duty_role))
        for rule in rules
        if rule.duty_role not in known
    ]
    if wrong:
        raise together(wrong)


def ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules with every member before the composites it is part of; a cycle is Misdeclared."""
    known = {rule.id: rule for rule in rules}
    graph = {id: [member for member in rule.members if member in known] for id, rule in known.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = list(reversed(error.args[1]))
        raise Misdeclared(
            names[0], "condition.of", f"the rules are made of each other: {' -> '.join(names)}"
        ) from None
    return tuple(known[id] for id in order)
