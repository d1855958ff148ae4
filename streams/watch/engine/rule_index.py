"""The rules of an epoch as the second stage asks for them; made once an epoch, not once a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streams.watch.declare.rule import Rule
from streams.watch.publish.published import RuleSet


@dataclass(frozen=True)
class RuleIndex:
    """The rules of one epoch by id, those of the second stage, and the composites by each of their members."""

    rules: tuple[Rule, ...]
    by_id: Mapping[str, Rule]
    rekeyed: frozenset[str]
    composites: Mapping[str, tuple[Rule, ...]]


class RuleIndexes:
    """Gives the index of an epoch; made again only where the book has other rules for it."""

    def __init__(self, book: Callable[[int], RuleSet]) -> None:
        self._book = book
        self._made: dict[int, RuleIndex] = {}

    def __call__(self, epoch: int) -> RuleIndex:
        """The index of this epoch's rules."""
        rules = self._book(epoch).rules
        found = self._made.get(epoch)
        if found is None or found.rules is not rules:
            found = self._made[epoch] = index_of(rules)
        return found

    def forget(self, before: int) -> None:
        """Let go of the epochs before this one; whoever asks for one has it made again."""
        for epoch in [each for each in self._made if each < before]:
            del self._made[epoch]


def index_of(rules: tuple[Rule, ...]) -> RuleIndex:
    """The index of these rules; composites are in the order of the rules."""
    composites: dict[str, list[Rule]] = {}
    for rule in rules:
        for member in dict.fromkeys(rule.members):
            composites.setdefault(member, []).append(rule)
    return RuleIndex(
        rules,
        {rule.id: rule for rule in rules},
        frozenset(rule.id for rule in rules if rule.rekeyed),
        {member: tuple(found) for member, found in composites.items()},
    )
