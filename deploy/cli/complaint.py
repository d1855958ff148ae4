"""What went wrong, told the same way by all commands."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def complain(text: str) -> None:
    """Say it on standard error, in red and as one line: wrapping is the terminal's."""
    Console(stderr=True).print(Text(text, style="red"), soft_wrap=True)
