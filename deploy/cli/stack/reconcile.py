"""`liaowang reconcile`: whether the parts of a home are of one moment."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.complaint import complain
from deploy.environment import load_settings
from deploy.local.reconcile import SECONDS, reconcile
from schemas.errors import LiaowangError

TORN = 3


def reconcile_(
    seconds: Annotated[float, typer.Option(min=1, help="How long ids are compared at most.")] = SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare log, outbox, duty database, warehouse and committed offsets; exit code 3 where they contradict.

    It changes nothing; what can be read or published again `liaowang down` and `up` mend.
    """
    try:
        found = reconcile(load_settings(), mend=False, seconds=seconds)
    except LiaowangError as error:
        complain(str(error))
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(
            json.dumps({"torn": bool(found), "tears": [asdict(each) for each in found]}, ensure_ascii=False)
        )
    else:
        for each in found:
            typer.echo(str(each))
        if not found:
            typer.echo("log, outbox, duty database, warehouse and committed offsets agree")
    if found:
        raise typer.Exit(TORN)
