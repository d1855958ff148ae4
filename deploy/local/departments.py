"""Departments of a home: one more with its token and rights, or another token; whole, or undone.

What is written is undone in the order against that in which it was done, should a later step fail: the list of
departments, the secrets, what runs. A process that is killed in between leaves nothing that the same command, run
again, does not complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_urlsafe

from deploy.environment import SECRETS, read_secrets
from deploy.local.apply import give_gateway
from deploy.local.control import Control
from deploy.local.home_folder import OWN
from deploy.local.process import CannotStart
from deploy.local.secrets import TOKENS, write_secrets
from deploy.local.supervisor import alone
from schemas.atomic_write import write_atomically
from schemas.contract import load_contracts
from schemas.declaration import read_text
from schemas.department_text import COMMAND, Given, differing, with_entry
from schemas.department_use import check_named, named_by_contracts, named_by_figures
from schemas.department_yaml import load_departments, parse_departments
from schemas.departments import DEPARTMENTS
from schemas.errors import LiaowangError, Misdeclared
from schemas.in_use import files_of, take_departments, taken
from schemas.regions import load_regions
from schemas.roles import load_roles
from schemas.settings import Settings

Token = Callable[[], str]


@dataclass(frozen=True)
class Added:
    """What came of it: the file, whether the entry is new, the token (empty: it has one), if a stack has them."""

    path: Path
    new: bool
    token: str
    running: bool


def add(settings: Settings, given: Given, make: Token = token_urlsafe) -> Added:
    """Declare a department, make its token, and have a stack that runs take both; again it changes nothing.

    Misdeclared names the option that is wrong, or the file that says something else of it. Whatever fails, all is
    as it was before.
    """
    path, id = departments_file(settings), str(given["department"])
    files, regions = files_of(settings), load_regions()
    roles = load_roles(files.roles)
    with _changing(settings) as change:
        text = read_text(files.departments)
        known = parse_departments(text, files.departments, roles, regions)
        new = id not in known
        if new:
            text = with_entry(text, path, given, roles, regions)
        elif other := differing(given, known, roles, regions):
            raise Misdeclared(COMMAND, other, f"{path} says something else of {id}; edit it there")
        token = "" if id in change.settings.tokens() else make()
        if token:
            _set_token(change, id, token)
        if new:
            _write(path, text.encode(), change)
        running = _run_with(change, path, text)
    return Added(path, new, token, running)


def another_token(settings: Settings, id: str, make: Token = token_urlsafe) -> Added:
    """Give a department another token; that of before opens nothing any more. Whole, or undone."""
    path = departments_file(settings)
    with _changing(settings) as change:
        departments = load_departments(path, load_roles(files_of(settings).roles))
        if id not in departments:
            raise Misdeclared("department token", id, departments.unknown(id))
        token = make()
        _set_token(change, id, token)
        running = _run_with(change, path, None)
    return Added(path, False, token, running)


def departments_file(settings: Settings) -> Path:
    """The file that is written: that of the folder of declarations, where one is set, or of this installation."""
    found = files_of(settings).departments
    own = settings.declarations != Path() and found == DEPARTMENTS
    return settings.declarations.absolute() / DEPARTMENTS.name if own else found.resolve()


@dataclass
class _Change:
    """The settings with the tokens of now, what undoes the steps so far, whether what runs was told of them."""

    settings: Settings
    undo: ExitStack
    told: bool = False


@contextmanager
def _changing(settings: Settings) -> Iterator[_Change]:
    """One change of a home at a time; where it fails its steps are undone, and what runs takes that, too."""
    try:
        settings.home.mkdir(mode=OWN, parents=True, exist_ok=True)
        (settings.home / "run").mkdir(mode=OWN, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"the home {settings.home} cannot be written ({error.strerror})") from error
    with alone(settings.home):
        before = _with_tokens_of_now(settings)
        change = _Change(before, ExitStack())
        try:
            with change.undo:
                yield change
                change.undo.pop_all()
        except BaseException:
            if change.told:
                give_gateway(before)
            raise


def _with_tokens_of_now(settings: Settings) -> Settings:
    """The settings as the file has the tokens now; LiaowangError where they come from elsewhere."""
    now = replace(settings, department_tokens=read_secrets(settings.home).get(TOKENS, ""))
    if set(settings.tokens().items()) - set(now.tokens().items()):
        raise LiaowangError(
            f"the tokens come from the environment ({TOKENS}); add `department=token` there, then `liaowang up`"
        )
    return now


def _set_token(change: _Change, id: str, token: str) -> None:
    """Write the token beside those of the others."""
    home, before = change.settings.home, read_secrets(change.settings.home)
    text = ",".join(f"{name}={each}" for name, each in {**change.settings.tokens(), id: token}.items())
    write_secrets(home, {**before, TOKENS: text})
    if before:
        change.undo.callback(write_secrets, home, before)
    else:
        change.undo.callback((home / SECRETS).unlink)
    change.settings = replace(change.settings, department_tokens=text)


def _write(path: Path, content: bytes, change: _Change) -> None:
    """Write the list; before it there may have been none."""
    try:
        before, mode = (path.read_bytes(), path.stat().st_mode) if path.exists() else (None, 0o644)
        change.undo.callback(_restore, path, before)
        write_atomically(path, content)
        path.chmod(mode & 0o777)
    except OSError as error:
        raise LiaowangError(f"{path} cannot be written: {error.strerror}") from error


def _restore(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    elif path.read_bytes() != before:
        write_atomically(path, before)


def _run_with(change: _Change, path: Path, text: str | None) -> bool:
    """Have what runs take this list (None: the one it has) and the tokens; False where nothing runs."""
    home = change.settings.home
    used = taken(home)
    if used is None or Control(home).processes() is None:
        return False
    if text is not None and used.departments.read_bytes() != text.encode():
        departments = parse_departments(text, path, load_roles(used.roles))
        check_named(departments, [*named_by_contracts(load_contracts(used.feeds)), *named_by_figures(used)])
        change.undo.callback(take_departments, home, used.departments.read_bytes())
        take_departments(home, text.encode())
    change.told = True
    if told := give_gateway(change.settings):
        raise CannotStart(f"{told}; nothing is changed")
    return True
