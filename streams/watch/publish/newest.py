"""Which major version a feed's name stands for in rules: published, so that it changes at a tick as rules do.

The declarations say which version is the newest; they are taken while partitions are at different places of
their logs. A record of the topic `rules` says from which epoch on rules read it. Before that a feed's name is what
it was, so all partitions change to it in one round of ticks, as to a rule, and a replay does as was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from schemas.contract import Contract
from schemas.majors import majors
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.publish.published import NEWEST, History, RuleBook, RuleRecord

Contracts = Mapping[str, Contract]


def contracts_then(contracts: Contracts, newest: Mapping[str, str]) -> Contracts:
    """The contracts as rules read them while these event types were the newest of their feeds.

    Of a feed of which none was published it is the oldest that is declared; where the one that was published is
    declared no more, the feed's name is what it is now.
    """
    then = dict(contracts)
    for family in {each.family for each in contracts.values() if each.older}:
        known = {each.event_type: each for each in majors(contracts.values(), family)}
        then[family] = known.get(newest.get(family) or list(known)[-1], contracts[family])
    return then


def newest_records(history: History, contracts: Contracts, now: datetime) -> list[RuleRecord]:
    """What has to be published so that rules read the newest versions declared; each has `more` after it."""
    said = history.newest_records()
    concerned = said.keys() | {each.family for each in contracts.values() if each.older}
    return [
        RuleRecord(
            rule=family,
            version=said[family].version + 1 if family in said else 1,
            text=contracts[family].event_type,
            at=now,
            more=True,
            kind=NEWEST,
        )
        for family in sorted(concerned & contracts.keys())
        if family not in said or said[family].text != contracts[family].event_type
    ]


def rule_book(
    history: History, contracts: Contracts, broken: Callable[[str, str], None] = lambda what, why: None
) -> RuleBook:
    """The sets of rules of all epochs, each read under the contracts as its rules read them then."""

    def then(newest: Mapping[str, str]) -> Callable[[str, str], Rule]:
        known = contracts_then(contracts, newest)
        return lambda text, where: parse_published(text, where, known)

    return RuleBook(history, then({}), broken, then)
