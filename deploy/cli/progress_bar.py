"""The progress bar all long steps show."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def progress_bars(console: Console, end: str = "") -> Progress:
    """Bars with what is done, how much of it and for how long; `end` is a text column after them."""
    columns = [TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    return Progress(*columns, *([TextColumn(end)] if end else []), console=console)
