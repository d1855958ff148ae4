"""What commands share on the screen."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

WIDE = 1000


class Screen(Console):
    """A console that cuts nothing off: what is too wide for a cell of a table goes on in its next line."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as a console does."""
        for each in objects:
            if isinstance(each, Table):
                for column in each.columns:
                    column.overflow = "fold"
        super().print(*objects, **how)


def screen(*, highlight: bool = True) -> Screen:
    """Standard output as wide as the terminal; in a file or a pipe so wide that rows and ids stay in one piece."""
    shown = Screen(highlight=highlight)
    return shown if shown.is_terminal or "COLUMNS" in os.environ else Screen(highlight=highlight, width=WIDE)


def calm() -> None:
    """Leave it to the error that ends the command to say that the warehouse is away."""
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


def say_json(value: Any) -> None:
    """Print a value as indented JSON, Chinese as it is."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
