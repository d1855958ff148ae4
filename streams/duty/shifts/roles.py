"""What duty knows of the rules in force: the roles they name, which must have somebody, and their titles."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from schemas.contract import load_contracts
from schemas.contracts_in_use import ContractsInUse
from schemas.errors import Misdeclared
from schemas.in_use import in_use
from schemas.settings import Settings
from streams.duty.systems.cap_index import Publisher
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule
from streams.watch.publish.active_rules import ActiveRules, Live, RuleBookNow


def rules_in_use(settings: Settings) -> tuple[Rule, ...]:
    """The early-warning rules of the declarations that a home has in use."""
    roots = in_use(settings)
    return load_rules(load_contracts(roots.feeds), roots.rules)


def active_rules(settings: Settings) -> ActiveRules:
    """The rules in force, wherever they were published; until any are known, those of the declarations in use."""
    contracts = ContractsInUse(settings)
    return ActiveRules(settings.kafka, contracts, lambda: load_rules(contracts(), in_use(settings).rules))


def rules_now(settings: Settings) -> RuleBookNow:
    """The rules in force at this moment, for a command; where the broker is away it says so and goes by files."""
    active = active_rules(settings)
    active.look()
    active.close()
    return active.now


def roles_of(rules: Iterable[Rule]) -> frozenset[str]:
    """The duty roles of these rules."""
    return frozenset(rule.duty_role for rule in rules)


def publisher_of(settings: Settings, rules: Collection[Rule]) -> Publisher:
    """Who tells other systems of warnings, with the titles that these rules have when they are asked for.

    A sender that CAP forbids is Misdeclared.
    """
    if not re.fullmatch(r"[^\s,<&]+", settings.cap_sender):
        said = f"{settings.cap_sender!r} must hold no space, comma, < or &"
        raise Misdeclared("settings", "LIAOWANG_CAP_SENDER", said)
    titles = Live(lambda: {rule.id: (rule.title, rule.title_en) for rule in rules})
    return Publisher(settings.cap_sender, settings.console, titles)
