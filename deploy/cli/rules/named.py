"""What the commands of rules share: where the rules are, and those that were named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from deploy.environment import declared
from deploy.rules.rule_files import place_of
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.faults import Faults
from streams.watch.declare.load import load_rule, load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_set import check_members

Folder = Annotated[
    Path,
    typer.Option(
        "--rules",
        help="Folder of rules, <domain>/<rule>.yaml; that of the declarations where none is named.",
        default_factory=lambda: declared().rules,
        show_default=False,
    ),
]
Contracts = Annotated[
    Path,
    typer.Option(
        "--contracts",
        help="Folder of contracts, <domain>/<feed>.yaml; that of the declarations where none is named.",
        default_factory=lambda: declared().feeds,
        show_default=False,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Rule ids or files; all rules where none is named.", show_default=False),
]


def places_of(names: list[str] | None, chosen: list[Rule], folder: Path) -> dict[str, str]:
    """Where each rule stands, by its id: the file that was named, or its place in the folder."""
    if not names:
        return {rule.id: str(place_of(rule.id, folder)) for rule in chosen}
    return {
        rule.id: name if name != rule.id else str(place_of(rule.id, folder))
        for name, rule in zip(names, chosen, strict=True)
    }


def chosen_of(
    names: list[str] | None, folder: Path, contracts: Mapping[str, Contract]
) -> tuple[list[Rule], list[Rule]]:
    """(rules that matter, those named): by id in the folder, or by file wherever it lies; all where none is.

    Of the others only the members of composites matter, and only they are read.
    """
    if not names:
        found = list(load_rules(contracts, folder, drafts=True))
        return found, found
    there = {f"{path.parent.name}.{path.stem}": path for path in sorted(folder.glob("*/*.yaml"))}
    files: dict[str, str] = {}

    def read(name: str) -> Rule:
        path = Path(name)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            rule = load_rule(path, contracts, folder)
            files[rule.id] = name
        elif name in there:
            rule = load_rule(there[name], contracts, folder)
        else:
            known = ", ".join(there) or "none"
            raise Misdeclared(str(folder), name, f"no such rule and no such file; there are {known}")
        return rule

    faults = Faults()
    chosen = list(faults.all(read, names))
    faults.end()
    members = _members(chosen, there, contracts, folder)
    check_members(members.values(), files, there)
    return list(members.values()), chosen


def _members(
    chosen: Iterable[Rule], there: Mapping[str, Path], contracts: Mapping[str, Contract], folder: Path
) -> dict[str, Rule]:
    """These rules by id, with whatever they are made of."""
    found = {rule.id: rule for rule in chosen}
    waiting = list(found.values())
    while waiting:
        for member in waiting.pop().members:
            if member not in found and member in there:
                found[member] = load_rule(there[member], contracts, folder)
                waiting.append(found[member])
    return found
