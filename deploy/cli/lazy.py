"""Commands that are imported when they are asked for: one command should not wait for what another needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from schemas.nearest import nearest


class _Commands(Mapping[str, Any]):
    """Commands by name, out of a table of `module.attribute`; only help reads them all."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Any:
        made = typer.main.get_command(_typer(name, self._table[name]))
        made.name = name
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _typer(name: str, where: str) -> typer.Typer:
    """A function as a command of its own; a Typer as it is."""
    module, _, attribute = where.rpartition(".")
    found = getattr(import_module(f"deploy.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return found
    alone = typer.Typer()
    alone.command(name)(found)
    return alone


def lazily(table: Mapping[str, str]) -> type[TyperGroup]:
    """A group of the commands in a table: name -> `module.function` or `module.app` of deploy.cli."""

    class Lazily(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**{**given, "suggest_commands": False})
            self.commands = _Commands(table)  # type: ignore[assignment]

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            try:
                return super().resolve_command(ctx, args)
            except Exception as error:  # of a class that typer keeps to itself
                meant = nearest(args[0], table) if args else ""
                if meant and hasattr(error, "message"):
                    error.message = f"{error.message.rstrip('.')}. Did you mean {meant!r}?"
                raise

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

    return Lazily


def group(table: Mapping[str, str], what: str) -> typer.Typer:
    """The same as a command of another group; `what` is its help."""
    made = typer.Typer(cls=lazily(table), help=what, no_args_is_help=True)
    made.callback()(lambda: None)
    return made


__all__ = ["group", "lazily"]
