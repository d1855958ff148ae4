"""`liaowang department`: who sends feeds and answers for figures, with which rights, and whom to call.

No token is ever an argument or in a log: it is made, and shown once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from deploy.cli.output import say_json, screen
from deploy.environment import load_settings
from schemas.contract import Contract, load_contracts
from schemas.declaration import read_yaml
from schemas.department_schema import department_schema
from schemas.department_text import COMMAND
from schemas.department_use import figures_of, require_departments, senders, strange_tokens
from schemas.departments import Department, Departments
from schemas.effective import with_department
from schemas.errors import Misdeclared
from schemas.in_use import departments_of, files_of
from schemas.regions import load_regions

app = typer.Typer(help="Departments: who sends feeds and answers for figures.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="The department's id, such as ecology.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of lines.")]
ASKED = (
    ("zh", "Name in Chinese"),
    ("en", "Name in English"),
    ("region", "Region code"),
    ("steward", "Data steward"),
)
"""What is asked for where an option is not given, at a terminal."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the departments: names, regions, how many feeds and figures, whether they have a token."""
    settings = load_settings()
    files = files_of(settings)
    departments, tokens = departments_of(files), settings.tokens()
    contracts, figures = load_contracts(files.feeds), figures_of(files)
    found = [
        {
            "department": each.id,
            "name": dict(each.name),
            "regions": list(each.regions),
            "part_of": each.part_of,
            "feeds": [feed for feed, it in contracts.items() if it.department == each.id],
            "figures": [id for id, owner in figures.items() if owner == each.id],
            "token": each.id in tokens,
            "stewards": list(each.contact.stewards),
        }
        for each in departments
    ]
    if as_json:
        say_json(found)
        return
    table = Table("department", "name", "regions", "part of", "feeds", "figures", "token", "stewards")
    for item in found:
        row: dict[str, Any] = item
        counts = (str(len(row["feeds"])), str(len(row["figures"])), "yes" if row["token"] else "")
        regions, stewards = ", ".join(row["regions"]), ", ".join(row["stewards"])
        table.add_row(row["department"], row["name"]["zh"], regions, row["part_of"], *counts, stewards)
    screen().print(table)
    for told in strange_tokens(tokens, departments):
        screen().print(escape(told), style="red")


@app.command()
def show(id: Id, as_json: AsJson = False) -> None:
    """Show a department: whom to call, which feeds its token opens, how often and how late they may come."""
    settings = load_settings()
    files = files_of(settings)
    departments = departments_of(files)
    department = departments.get(id)
    if department is None:
        raise Misdeclared("department show", id, departments.unknown(id))
    contracts = load_contracts(files.feeds)
    answers = [name for name, owner in figures_of(files).items() if owner == id]
    view = _view(department, departments, contracts) | {"figures": answers, "token": id in settings.tokens()}
    if as_json:
        say_json(view)
        return
    console = screen(highlight=False)
    for label, value in _lines(view):
        console.print(f"{label}: {escape(value)}")
    table = Table("feed", "topic", "lateness", "service levels", "of")
    for feed in view["feeds"]:
        levels = ", ".join(
            f"{each['property']} {each['value']}{each.get('unit', '')}" for each in feed["levels"]
        )
        table.add_row(feed["feed"], feed["topic"], feed["lateness"], levels, feed["department"])
    console.print(
        table if view["feeds"] else "feeds: none; a contract that names it as `department` is its first"
    )


@app.command()
def add(
    id: Id,
    zh: Annotated[str, typer.Option(help="Its name in Chinese.")] = "",
    en: Annotated[str, typer.Option(help="Its name in English.")] = "",
    region: Annotated[
        list[str] | None, typer.Option(help="Region code it may send of; several times.")
    ] = None,
    steward: Annotated[list[str] | None, typer.Option(help="Login of a data steward; several times.")] = None,
    part_of: Annotated[str, typer.Option(help="Department whose feeds it sends, as an office of it.")] = "",
    office_zh: Annotated[str, typer.Option(help="Office to call, in Chinese.")] = "",
    office_en: Annotated[str, typer.Option(help="Office to call, in English.")] = "",
    phone: Annotated[str, typer.Option(help="Telephone.")] = "",
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    duty_role: Annotated[list[str] | None, typer.Option(help="Duty role of its; several times.")] = None,
    as_json: AsJson = False,
) -> None:
    """Declare a department, make its token and its rights; a stack that runs has them at once.

    What is not given is asked for at a terminal. Run again it changes nothing; where it fails, nothing is changed.
    """
    from deploy.local.departments import add as adding

    asked = _asked({"zh": zh, "en": en, "region": region or [], "steward": steward or []})
    office = {"zh": office_zh, "en": office_en} if office_zh or office_en else {}
    contact = {"stewards": asked["steward"], "office": office, "phone": phone, "email": email}
    given = {
        "department": id,
        "name": {"zh": asked["zh"], "en": asked["en"]},
        "regions": asked["region"],
        "part_of": part_of,
        "contact": {key: value for key, value in contact.items() if value},
        "duty_roles": duty_role or [],
    }
    done = adding(load_settings(), {key: value for key, value in given.items() if value})
    if as_json:
        say_json(
            {
                "department": id,
                "file": str(done.path),
                "new": done.new,
                "token": done.token or None,
                "running": done.running,
            }
        )
        return
    typer.echo(
        f"{id} is declared in {done.path}" if done.new else f"{id} was declared already in {done.path}"
    )
    _say_token(id, done.token, done.running)


@app.command()
def token(id: Id, as_json: AsJson = False) -> None:
    """Make another token for a department, shown once; that of before opens nothing from then on."""
    from deploy.local.departments import another_token

    done = another_token(load_settings(), id)
    if as_json:
        say_json({"department": id, "token": done.token, "running": done.running})
        return
    _say_token(id, done.token, done.running)


@app.command()
def check() -> None:
    """Check the departments and whoever names one: contracts, indicators, indices, tokens."""
    settings = load_settings()
    files = files_of(settings)
    departments = require_departments(files)
    tokens = settings.tokens()
    told = strange_tokens(tokens, departments)
    if tokens:
        without = [
            id for id in senders(load_contracts(files.feeds).values(), departments) if id not in tokens
        ]
        told += [f"{id} has no token yet: `liaowang apply` makes it" for id in without]
    for line in told:
        typer.echo(line, err=True)
    if told:
        raise typer.Exit(1)
    typer.echo(f"{len(departments.known)} departments are declared well")


@app.command()
def schema() -> None:
    """Print the JSON Schema of departments.yaml, for editors."""
    say_json(department_schema(sorted(each.code for each in load_regions().all)))


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and what is not given as it is answered; Misdeclared where nobody can be asked."""
    found = dict(given)
    for name, question in ASKED:
        if found[name]:
            continue
        if not sys.stdin.isatty():
            raise Misdeclared(COMMAND, f"--{name}", "must be given")
        answer = str(typer.prompt(question, err=True)).strip()
        found[name] = [answer] if isinstance(given[name], list) else answer
    return found


def _say_token(id: str, token: str, running: bool) -> None:
    if token:
        typer.echo(f"its token, shown this once: {token}")
    else:
        typer.echo(f"it has its token already; `liaowang department token {id}` makes another one")
    typer.echo("the gateway knows it" if running else "nothing is up: `liaowang up` takes it")


def _view(
    department: Department, departments: Departments, contracts: Mapping[str, Contract]
) -> dict[str, Any]:
    """A department as JSON has it, with the feeds that its token opens."""
    contact = department.contact
    opened = [each for each in contracts.values() if departments.may_send(department.id, each.department)]
    return {
        "department": department.id,
        "name": dict(department.name),
        "regions": list(department.regions),
        "part_of": department.part_of,
        "contact": {
            "stewards": list(contact.stewards),
            "office": dict(contact.office),
            "phone": contact.phone,
            "email": contact.email,
        },
        "duty_roles": list(department.duty_roles),
        "channels": [vars(each) for each in department.channels],
        "feeds": [_feed(each, departments) for each in opened],
    }


def _feed(contract: Contract, departments: Departments) -> dict[str, Any]:
    owner = departments.get(contract.department)
    document = read_yaml(contract.path).value
    whole = document if owner is None else with_department(document, owner)
    return {
        "feed": contract.feed,
        "topic": contract.topic,
        "department": contract.department,
        "lateness": str(contract.lateness),
        "levels": list(whole.get("slaProperties") or []),
    }


def _lines(view: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is said of a department before its feeds; what is empty is left out."""
    contact, regions = view["contact"], load_regions()
    named = [f"{code} {place.name}" for code in view["regions"] if (place := regions.get(code))]
    channels = [
        f"{each['channel']} ({each['tool']}, {each['scope']}): {each['description']}"
        for each in view["channels"]
    ]
    lines = [
        (view["department"], f"{view['name']['zh']} / {view['name']['en']}"),
        ("part of", view["part_of"]),
        ("regions", ", ".join(named)),
        ("office", " / ".join(contact["office"].values())),
        ("stewards", ", ".join(contact["stewards"])),
        ("telephone", contact["phone"]),
        ("e-mail", contact["email"]),
        ("duty roles", ", ".join(view["duty_roles"])),
        ("channels", "; ".join(channels)),
        ("figures", ", ".join(view["figures"])),
        (
            "token",
            "made" if view["token"] else f"none; `liaowang department token {view['department']}` makes one",
        ),
    ]
    return [(label, value) for label, value in lines if value]
