"""Commands that are imported when they are asked for: one command should not wait for what another needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


class _Commands(Mapping[str, Any]):
    """Commands by name, out of a table of `module.attribute`; only help reads them all."""

    def __init__(self, table: Mapping[str, str | tuple[str, ...]]) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Any:
        made = typer.main.get_command(_typer(name, self._table[name]))
        made.name = name
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _typer(name: str, where: str | tuple[str, ...]) -> typer.Typer:
    """A function as a command of its own; a Typer as it is, or with what is added to it."""
    first, *added = (where,) if isinstance(where, str) else where
    found = _found(first)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer()
        alone.command(name)(found)
        return alone
    known = {each.callback for each in found.registered_commands}
    groups = {each.typer_instance for each in found.registered_groups}
    for place, each in zip(added, map(_found, added), strict=True):
        if isinstance(each, typer.Typer) and each not in groups:
            found.add_typer(each, name=place.rpartition(".")[2])
        elif not isinstance(each, typer.Typer) and each not in known:
            found.command()(each)
    return found


def _found(where: str) -> Any:
    module, _, attribute = where.rpartition(".")
    return getattr(import_module(f"deploy.cli.{module}"), attribute)


def lazily(table: Mapping[str, str | tuple[str, ...]]) -> type[TyperGroup]:
    """A group of the commands in a table: name -> `module.function` or `module.app` of deploy.cli.

    A tuple adds functions and apps to the sub-commands of its first, an app.
    """

    class Lazily(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(table)  # type: ignore[assignment]

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

    return Lazily


__all__ = ["lazily"]
