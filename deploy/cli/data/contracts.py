"""`liaowang contracts`: whether examples hold, what changed since the last release, and whether it may."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from deploy.cli.complaint import complain
from deploy.cli.output import say_json
from deploy.environment import declared
from schemas.atomic_write import write_atomically
from schemas.contract import RELEASED, Contract, load_contract, load_contracts
from schemas.contract_files import ContractFiles
from schemas.contract_model import family_of
from schemas.contract_trial import try_examples, unshown
from schemas.department_use import check_named, named_by_contracts
from schemas.department_yaml import load_departments
from schemas.departments import Departments
from schemas.effective import Document, effective_contract
from schemas.errors import LiaowangError, Misdeclared
from schemas.evolution import Evolution, evolve
from schemas.in_use import departments_of
from schemas.majors import named
from schemas.roles import load_roles

app = typer.Typer(
    help="Contracts: their examples, and what changed since they were last released.", no_args_is_help=True
)
Feeds = Annotated[
    Path,
    typer.Option(
        help="Folder of the contracts.", default_factory=lambda: declared().feeds, show_default=False
    ),
]
DepartmentsFile = Annotated[
    Path | None,
    typer.Option(
        "--departments",
        help="File of the departments; departments.yaml beside the folder of the contracts, or the one declared.",
        show_default=False,
    ),
]
Released = Annotated[
    Path, typer.Option(help="Folder of the last released contracts.", show_default="schemas/released")
]


@app.command()
def check(
    feeds: Feeds,
    departments: DepartmentsFile = None,
    released: Released = RELEASED,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Compare each contract with its last release; exit code 1 where one may not change so."""
    contracts, _ = _declared(feeds, departments)
    found = evolve(_load(released), contracts, datetime.now(UTC))
    if as_json:
        say_json([asdict(item) for item in found])
    else:
        _show(found)
    if any(item.problems for item in found):
        raise typer.Exit(1)


@app.command()
def test(
    feeds: Feeds,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Feeds or files; all feeds where none is named.", show_default=False),
    ] = None,
) -> None:
    """Run the examples of contracts; exit code 1 where one does not hold, or a field's rule has none."""
    chosen = _named(feeds, names)
    wrong = [
        f"{contract.feed}: {each.name}: expected {each.expected}, got {each.found}"
        for contract in chosen
        for each in try_examples(contract)
        if not each.holds
    ]
    wrong += [
        f"{contract.feed}: examples: none shows what is rejected for {rule}"
        for contract in chosen
        for rule in unshown(contract)
    ]
    for line in wrong:
        complain(line)
    if wrong:
        raise typer.Exit(1)
    run = sum(len(contract.examples) for contract in chosen)
    typer.echo(f"{len(chosen)} contracts do what their {run} examples say")


def _named(feeds: Path, names: Sequence[str] | None) -> list[Contract]:
    """The contracts of these feeds or files, or all; of the folder only those named are read."""
    if not names:
        return list(load_contracts(feeds).values())
    there, found = ContractFiles(feeds), []
    for name in names:
        if Path(name).suffix in (".yaml", ".yml") or Path(name).is_file():
            found.append(load_contract(Path(name)))
        elif contract := named(there, name):
            found.append(contract)
        else:
            known = ", ".join(there) or "none"
            raise Misdeclared(str(feeds), name, f"no such feed and no such file; there are {known}")
    return found


@app.command()
def release(
    feeds: Feeds,
    departments: DepartmentsFile = None,
    feed: Annotated[list[str] | None, typer.Argument(help="Only these feeds; else all.")] = None,
    released: Released = RELEASED,
) -> None:
    """Record contracts as released, once they pass the check and have a version of their own."""
    contracts, _ = _declared(feeds, departments)
    found = {item.feed: item for item in evolve(_load(released), contracts, datetime.now(UTC))}
    for name in feed or ():
        if name not in found and named(contracts, name) is None:
            raise Misdeclared("contracts release", name, f"no such feed; there are {', '.join(found)}")
    families = {family_of(name) for name in feed or ()}  # what was the newest moves aside with the new one
    chosen = [item for name, item in found.items() if not feed or family_of(name) in families]
    for item in chosen:
        for reason in (*item.problems, *([f"needs {item.needs}"] if item.needs else [])):
            raise Misdeclared(item.feed, "version", reason)
    for item in chosen:
        _record(item, contracts.get(item.feed), released)


@app.command()
def show(
    feeds: Feeds,
    feed: Annotated[str, typer.Argument(help="Feed, such as ecology.air-quality.")],
    departments: DepartmentsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML.")] = False,
) -> None:
    """Show a contract as it is in force: with the team, support and service levels of its department."""
    contracts, known = _declared(feeds, departments)
    contract = named(contracts, feed)
    if contract is None:
        raise Misdeclared("contracts show", feed, f"no such feed; there are {', '.join(contracts)}")
    document = effective_contract(contract, known)
    if as_json:
        say_json(document)
    else:
        typer.echo(_yaml(document), nl=False)


@app.command()
def export(
    feeds: Feeds,
    folder: Annotated[Path, typer.Argument(help="Folder to write <domain>/<feed>.yaml into.")],
    departments: DepartmentsFile = None,
) -> None:
    """Write all contracts as they are in force, for catalogues of the Open Data Contract Standard."""
    contracts, known = _declared(feeds, departments)
    for contract in contracts.values():
        path = folder / contract.path.parent.name / contract.path.name
        if path.resolve() == contract.path.resolve():
            raise Misdeclared(
                "contracts export", str(folder), "holds the contracts themselves; name another one"
            )
        try:
            write_atomically(path, _yaml(effective_contract(contract, known)).encode())
        except OSError as error:
            raise LiaowangError(f"{path} cannot be written: {error.strerror}") from error
    typer.echo(f"{len(contracts)} contracts are written to {folder}")


def _declared(feeds: Path, departments: Path | None) -> tuple[Mapping[str, Contract], Departments]:
    """The contracts and departments; Misdeclared where a contract names a department that is none."""
    contracts = load_contracts(feeds)
    beside, roles = (feeds.parent / f"{name}.yaml" for name in ("departments", "roles"))
    if departments is None and beside.is_file():
        known = load_departments(beside, load_roles(roles if roles.is_file() else declared().roles))
    elif departments is None:
        known = departments_of(declared())
    else:
        known = load_departments(departments, load_roles(declared().roles))
    check_named(known, named_by_contracts(contracts))
    return contracts, known


class _Whole(yaml.SafeDumper):
    """Writes a value wherever it stands, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: Document) -> str:
    return str(yaml.dump(document, Dumper=_Whole, allow_unicode=True, sort_keys=False, width=110))


def _load(root: Path) -> Mapping[str, Contract]:
    """The released contracts; how they were made up then concerns nobody, whatever words it was told in."""
    return load_contracts(root, simulated=False) if any(root.glob("*/*.yaml")) else {}


def _record(item: Evolution, contract: Contract | None, root: Path) -> None:
    domain, name = item.feed.split(".", 1)
    path = root / domain / f"{name}.yaml"
    if contract is None:
        path.unlink()
        typer.echo(f"{item.feed}: retired, removed")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(contract.path, path)
    typer.echo(f"{item.feed}: {contract.version} is released")


def _show(found: Sequence[Evolution]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for item in found:
        versions = f"{item.released or 'not released yet'} -> {item.version or 'removed'}"
        same = item.released == item.version and not item.changes
        console.print(f"{item.feed} {item.version if same else escape(versions)}: {_verdict(item)}")
        for change in item.changes:
            word = "[red]breaking[/]" if change.breaking else "compatible"
            console.print(f"  {word}: {escape(change.where)}: {escape(change.what)}")
        for problem in item.problems:
            console.print(f"  [red]{escape(problem)}[/]")


def _verdict(item: Evolution) -> str:
    if item.problems:
        return "[red]may not stand so[/]"
    if not item.released:
        return "new"
    if item.needs:
        return f"may change so; before it is released it needs {item.needs}"
    return "may change so" if item.changes else "as released"
