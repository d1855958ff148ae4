"""`liaowang rules list`, `lint`, `test`, `schema`: look at the early-warning rules and check them."""

from __future__ import annotations

import json
from datetime import timedelta

import typer
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import screen
from deploy.cli.rules.named import Contracts, Folder, Names, chosen_of, places_of
from deploy.environment import declared
from schemas.contract_files import ContractFiles
from schemas.levels import BY_RANK
from schemas.roles import load_roles
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_form import waits
from streams.watch.declare.rule_set import check_roles


def list_(rules: Folder, contracts: Contracts) -> None:
    """Show every rule: feed, condition and levels."""
    table = Table(title="Early-warning rules")
    for column in ("rule", "version", "title", "feed", "condition", "levels", "duty role", "status"):
        table.add_column(column, overflow="fold")
    for rule in load_rules(ContractFiles(contracts), rules, drafts=True):
        levels = ", ".join(f"{BY_RANK[rank]} {_bound(rule, bound)}" for rank, bound in reversed(rule.bounds))
        feeds = ", ".join(rule.feeds)
        row = (rule.id, str(rule.version), rule.title, feeds, rule.kind, levels, rule.duty_role, rule.status)
        table.add_row(*row)
    screen().print(table)


def _bound(rule: Rule, bound: float) -> str:
    """A bound as people read it: a span of time, or a figure."""
    if waits(rule.kind):
        return str(timedelta(seconds=bound)).removesuffix(", 0:00:00")
    return f"{'<= ' if rule.below else ''}{bound:g}"


def lint(rules: Folder, contracts: Contracts, names: Names = None) -> None:
    """Check the declarations: keys, values, feeds and fields, members, duty roles, examples that warn."""
    _, chosen = chosen_of(names, rules, ContractFiles(contracts))
    check_roles(chosen, places_of(names, chosen, rules), load_roles(declared().roles))
    wanting = [rule for rule in chosen if not any(example.warns for example in rule.examples)]
    for rule in wanting:
        complain(f"{rule.id}: examples: there must be at least one that warns")
    if wanting:
        raise typer.Exit(1)
    typer.echo(f"{len(chosen)} rules are declared well")


def test(rules: Folder, contracts: Contracts, names: Names = None) -> None:
    """Run the examples of rules; exit code 1 where one does not hold."""
    from streams.watch.trial.offline import said, spoken, try_example

    feeds = ContractFiles(contracts)
    known, chosen = chosen_of(names, rules, feeds)
    failed = run = 0
    for rule in chosen:
        for example in rule.examples:
            run += 1
            found = said(try_example(feeds, known, rule, example))
            if found != example.warns:
                failed += 1
                complain(f"{rule.id}: {example.name}: expected {spoken(example.warns)}, got {spoken(found)}")
    if failed:
        raise typer.Exit(1)
    typer.echo(f"{len(chosen)} rules do what their {run} examples say")


def schema() -> None:
    """Print the JSON Schema of rule files, for editors."""
    from streams.watch.declare.rule_schema import rule_schema

    typer.echo(json.dumps(rule_schema(), ensure_ascii=False, indent=2))
