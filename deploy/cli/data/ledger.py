"""`liaowang ledger`: whether everything the broker gave out is accounted for in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli.output import screen
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from streams.land import reckoning
from streams.land.ledger import Balance
from streams.land.warehouse import Warehouse

app = typer.Typer(help="The ledger of what was landed.", no_args_is_help=True)

COLUMNS = ("produced", "accepted", "rejected", "control", "open", "lost")


@app.callback()
def _ledger() -> None:
    """The ledger of what was landed."""


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of the table.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for what is still on its way.")] = 15.0,
) -> None:
    """Check that produced = accepted + rejected + control in every partition; exit code 1 where it is not."""
    settings = load_settings()
    topics = sorted(contract.topic for contract in load_contracts(declared().feeds).values())
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        balances = reckoning.reckon(settings.kafka, warehouse, topics, wait)
    finally:
        warehouse.close()
    if as_json:
        typer.echo(json.dumps([asdict(balance) | {"even": balance.even} for balance in balances]))
    else:
        screen().print(table(balances))
    if not all(balance.even for balance in balances):
        raise typer.Exit(1)


@app.command()
def lose(
    topic: Annotated[str, typer.Argument(help="The topic, e.g. feed.ecology.air-quality.")],
    partition: Annotated[int, typer.Argument(min=0)],
    to: Annotated[int, typer.Option(min=1, help="The first offset that is still there.")],
) -> None:
    """Record that offsets were removed before they were landed; landing goes on, the loss stays shown."""
    settings = load_settings()
    feeds = {contract.topic: contract.feed for contract in load_contracts(declared().feeds).values()}
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        if topic not in feeds:
            raise Misdeclared(
                "liaowang ledger lose", topic, f"is no feed's topic; there are {', '.join(feeds)}"
            )
        first, last = reckoning.lose(settings.kafka, warehouse, feeds[topic], topic, partition, to)
    finally:
        warehouse.close()
    typer.echo(f"{topic}/{partition}: offsets {first}..{last} are recorded as lost")


def table(balances: Sequence[Balance]) -> Table:
    """One row a topic, and one for each of its partitions that does not balance."""
    shown = Table(title="Ledger: produced = accepted + rejected + control")
    shown.add_column("topic", overflow="fold")
    for name in COLUMNS:
        shown.add_column(name, justify="right")
    for topic in dict.fromkeys(balance.topic for balance in balances):
        partitions = [balance for balance in balances if balance.topic == topic]
        shown.add_row(topic, *_sums(partitions))
        for balance in partitions:
            if not balance.even:
                shown.add_row(
                    f"  partition {balance.partition} does not balance", *_sums([balance]), style="red"
                )
    shown.add_section()
    shown.add_row("all", *_sums(balances))
    return shown


def _sums(balances: Sequence[Balance]) -> list[str]:
    return [f"{sum(getattr(balance, name) for balance in balances):,}" for name in COLUMNS]
