"""`liaowang rules`: look at the early-warning rules and try them on their examples."""

from __future__ import annotations

from datetime import timedelta

import typer
from rich.console import Console
from rich.table import Table

from schemas.contract import load_contracts
from streams.watch.offline import evaluate, example_log
from streams.watch.rule import LEVELS, Rule, load_rules

app = typer.Typer(help="The early-warning rules.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Show every rule: feed, condition and levels."""
    table = Table(title="Early-warning rules")
    for column in ("rule", "version", "title", "feed", "condition", "levels", "duty role"):
        table.add_column(column, overflow="fold")
    for rule in load_rules(load_contracts()):
        levels = ", ".join(f"{LEVELS[rank]} {_bound(rule, bound)}" for rank, bound in reversed(rule.bounds))
        table.add_row(rule.id, str(rule.version), rule.title, rule.feed, rule.kind, levels, rule.duty_role)
    Console().print(table)


def _bound(rule: Rule, bound: float) -> str:
    """A bound as people read it: a span of silence, or a figure."""
    return str(timedelta(seconds=bound)) if rule.kind == "absence" else f"{bound:g}"


@app.command()
def lint() -> None:
    """Load all rules and run their examples; exit code 1 where an example does not hold."""
    contracts = load_contracts()
    failed = 0
    for rule in load_rules(contracts):
        for example in rule.examples:
            contract = contracts[rule.feed]
            found = evaluate(contract, [rule], example_log(contract, example))
            said = tuple((t.subject, t.kind, "" if t.kind == "recovered" else t.level) for t in found)
            if said != example.warns:
                failed += 1
                typer.echo(f"{rule.id}: {example.name}: expected {example.warns}, got {said}", err=True)
    if failed:
        raise typer.Exit(1)
    typer.echo("all rules load and do what their examples say")
