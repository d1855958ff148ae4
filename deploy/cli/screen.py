"""What commands that ask the warehouse share on the screen."""

from __future__ import annotations

import json
import logging
from typing import Any

import typer


def calm() -> None:
    """Leave it to the error that ends the command to say that the warehouse is away."""
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


def say_json(value: Any) -> None:
    """Print a value as indented JSON, Chinese as it is."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
