"""What commands share on the screen."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import typer
from rich.console import Console

WIDE = 200


def wide() -> Console:
    """A console as wide as the terminal; in a file or a pipe wide enough that ids of rules stay in one piece."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=WIDE)


def calm() -> None:
    """Leave it to the error that ends the command to say that the warehouse is away."""
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


def say_json(value: Any) -> None:
    """Print a value as indented JSON, Chinese as it is."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
