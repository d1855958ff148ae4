"""Rules on their way from files to the topic `rules`: what `up` and `liaowang rules publish` share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.rules.rule_files import found, place_of
from schemas.contract import Contract
from schemas.declaration import read_text
from schemas.errors import Misdeclared
from schemas.in_use import FILES, Roots, files_of
from schemas.roles import load_roles
from schemas.settings import Settings
from streams.watch.declare.baseline import read_baseline_rows
from streams.watch.declare.load import load_rule, load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_set import check_members, check_roles
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.publish.newest import newest_records
from streams.watch.publish.published import (
    Draft,
    History,
    RuleRecord,
    closed,
    new_baseline,
    plan,
    plan_files,
    retirement,
)
from streams.watch.publish.rule_topic import is_whole, publish, read_history
from streams.watch.trial.offline import said, spoken, try_example


@dataclass(frozen=True)
class RulePlan:
    """What publishing files would write, as long as nothing else is published after `told`."""

    records: tuple[RuleRecord, ...]
    told: History


def history(settings: Settings) -> History:
    """Everything published so far."""
    return asyncio.run(read_history(settings.kafka))


def publish_files(
    settings: Settings,
    contracts: Mapping[str, Contract],
    files: Roots = FILES,
    unreadable: Callable[[Misdeclared], None] | None = None,
) -> list[RuleRecord]:
    """Publish the rules of these files that are new or have a higher version, as one publication."""
    return write(settings, plan_of(settings, contracts, files, unreadable).records)


def publish_planned(settings: Settings, planned: RulePlan) -> list[RuleRecord] | None:
    """Publish what was planned; None, and nothing done, where something was published since."""
    if not asyncio.run(is_whole(settings.kafka, planned.told)):
        return None
    return write(settings, planned.records)


def plan_of(
    settings: Settings,
    contracts: Mapping[str, Contract],
    files: Roots = FILES,
    unreadable: Callable[[Misdeclared], None] | None = None,
) -> RulePlan:
    """What publishing these files would write; first which major versions rules read from then on.

    Misdeclared where a rule that stays in force cannot be read under these contracts: `watch` would pass it over.
    Where `unreadable` is given it is told of it instead, and the others are published.
    """
    root = files.rules
    rules = load_rules(contracts, root)
    check_roles(rules, {rule.id: str(place_of(rule.id, root)) for rule in rules}, load_roles(files.roles))
    told = history(settings)
    drafts = [draft(place_of(rule.id, root), rule) for rule in rules]
    now = datetime.now(UTC)
    entries = plan_files(told, drafts, now)
    new = {entry.rule for entry in entries}
    read = {rule.id: rule.text for rule in rules}
    for id, entry in told.in_force().items():
        if id not in new and entry.text != read.get(id):
            try:
                parse_published(entry.text, f"{id}@{entry.version}", contracts)
            except Misdeclared as error:
                if unreadable is None:
                    raise
                unreadable(error)
    return RulePlan(tuple(closed([*newest_records(told, contracts, now), *entries])), told)


def publish_these(
    settings: Settings, contracts: Mapping[str, Contract], names: Sequence[str]
) -> list[RuleRecord]:
    """Publish rules named by id or file, once they do what their examples say; Misdeclared otherwise."""
    told = history(settings)
    declared = files_of(settings)
    paths = [found(name, declared.rules) for name in names]
    rules = [load_rule(path, contracts, declared.rules) for path in paths]
    new = {rule.id for rule in rules}
    known = [*readable(told, contracts, new), *rules]
    files = {rule.id: str(path) for path, rule in zip(paths, rules, strict=True)}
    check_members(known, files)
    check_roles(rules, files, load_roles(declared.roles))
    for path, rule in zip(paths, rules, strict=True):
        require_publishable(told, path, rule)
        require_examples(rule, known, contracts)
    drafts = [draft(path, rule) for path, rule in zip(paths, rules, strict=True)]
    return write(settings, plan(told, drafts, datetime.now(UTC)))


def readable(told: History, contracts: Mapping[str, Contract], without: Collection[str]) -> list[Rule]:
    """The rules in force but for those named; one that cannot be read is left out, as `watch` passes it over."""
    found = []
    for id, entry in told.in_force().items():
        if id not in without:
            with suppress(Misdeclared):
                found.append(parse_published(entry.text, f"{id}@{entry.version}", contracts))
    return found


def retire(settings: Settings, contracts: Mapping[str, Contract], name: str) -> RuleRecord:
    """Publish that a rule is retired; Misdeclared where it is not in force, or another one is made of it."""
    told = history(settings)
    entries = retirement(told, name, datetime.now(UTC))
    for rule in readable(told, contracts, {name}):
        if name in rule.members:
            raise Misdeclared(name, "rule", f"{rule.id} is made of it; retire or change that one first")
    return write(settings, entries)[0]


def publish_baseline(settings: Settings, name: str, path: Path) -> RuleRecord:
    """Publish the next version of a baseline from a CSV file of subject, slot, mean, sd."""
    rows = read_baseline_rows(path)
    return write(settings, [new_baseline(history(settings), name, rows, datetime.now(UTC))])[0]


def write(settings: Settings, entries: Sequence[RuleRecord]) -> list[RuleRecord]:
    """Write a publication, where there is anything to write."""
    if entries:
        asyncio.run(publish(settings.kafka, entries))
    return list(entries)


def draft(path: Path, rule: Rule) -> Draft:
    """A rule's file as something to publish."""
    return Draft(rule.id, rule.version, read_text(path), str(path))


def require_publishable(told: History, path: Path, rule: Rule) -> None:
    """Misdeclared where a rule is a draft, or its version was retired."""
    if rule.status == "draft":
        raise Misdeclared(
            str(path), "status", "is draft, which watches nothing; make it active to publish it"
        )
    versions = [entry.version for _, entry in told.versions(rule.id)]
    if rule.id not in told.in_force() and rule.version in versions:
        problem = f"{rule.version} was retired; raise it to {max(versions) + 1} to have it in force again"
        raise Misdeclared(str(path), "version", problem)


def require_examples(rule: Rule, known: Sequence[Rule], contracts: Mapping[str, Contract]) -> None:
    """Misdeclared where a rule does not do what one of its examples says; `known` holds its members."""
    for example in rule.examples:
        made = said(try_example(contracts, known, rule, example))
        if made != example.warns:
            problem = f"expected {spoken(example.warns)}, got {spoken(made)}"
            raise Misdeclared(rule.id, f"examples: {example.name}", problem)
