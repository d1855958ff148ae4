"""`liaowang rules usual`: what is usual, worked out of landed events, for a rule that compares with a baseline."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Annotated

import typer

from deploy.environment import declared, load_settings
from deploy.rule_history.baseline import COLUMNS, keep
from deploy.rule_history.baseline import usual as rows_of
from deploy.rules import files as files
from deploy.rules.rule_files import found
from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from streams.land.warehouse import Warehouse
from streams.watch.declare.load import load_rule
from streams.watch.declare.spec import BaselineSpec
from streams.watch.publish.published import new_baseline

DAY = ["%Y-%m-%d"]


def usual(
    rule: Annotated[
        str, typer.Argument(help="A rule of the kind baseline, by id or file.", show_default=False)
    ],
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="First day, Asia/Shanghai.")],
    last: Annotated[datetime, typer.Option("--to", formats=DAY, help="Last day.")],
    publish: Annotated[
        bool, typer.Option("--publish", help="Keep it in the warehouse and put it in force at the next tick.")
    ] = False,
) -> None:
    """Work the baseline of a rule out of landed events: mean and deviation by subject and slot, as CSV.

    With --publish it becomes the next version of the rule's table: kept in landing.baseline, published on the
    topic `rules`, and named in the evidence of every warning that compares with it.
    """
    if last < first:
        raise Misdeclared("liaowang rules usual", "--to", "must not be before --from")
    settings, contracts = load_settings(), load_contracts(declared().feeds)
    watched = load_rule(found(rule, declared().rules), contracts, declared().rules)
    days = (first.date(), last.date())
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        rows = rows_of(warehouse, contracts[watched.feed], watched, *days)
        if not publish:
            typer.echo(_csv(rows), nl=False)
            return
        assert isinstance(watched.spec, BaselineSpec)
        plain = [{name: row[name] for name in COLUMNS[:4]} for row in rows]
        entry = new_baseline(files.history(settings), watched.spec.table, plain, datetime.now(UTC))
        keep(warehouse, watched, entry.version, entry.at, days, rows)
        files.write(settings, [entry])
    finally:
        warehouse.close()
    told = f"version {entry.version} of {len(rows)} rows published; in force from the next tick on"
    typer.echo(f"baseline {watched.spec.table}: {told}")


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
