"""Declarations in use: the files as `liaowang up` or `migrate` last took them, not as they happen to stand now.

All four kinds, and the lists of roles and departments, are kept together under `<home>/declarations`, so what runs
always has one consistent set. A file that is edited, or broken, while the stack runs concerns nobody until the
next `up`; and a process that starts again after a crash finds what it had.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from schemas.atomic_write import write_atomically
from schemas.department_yaml import load_departments
from schemas.departments import DEPARTMENTS, Departments
from schemas.errors import LiaowangError, Misdeclared
from schemas.roles import ROLES, load_roles
from schemas.settings import PREFIX, Settings

_ROOT = Path(__file__).parents[1]
FOLDER = "declarations"
_KINDS = {
    "feeds": Path("schemas/feeds"),
    "rules": Path("streams/watch/rules"),
    "indicators": Path("dagster_project/indicators"),
    "indexes": Path("dagster_project/indexes"),
}
_LISTS = ("roles", "departments")
"""What is one file each, beside them."""
OWN_FEEDS = ("feeds/duty/warning.yaml", "feeds/duty/disposition.yaml")
"""What every folder of declarations must have."""


@dataclass(frozen=True)
class Roots:
    """Folders of `<domain>/<name>.yaml`, one a kind of declaration; the files of roles and departments."""

    feeds: Path
    rules: Path
    indicators: Path
    indexes: Path
    roles: Path = ROLES
    departments: Path = DEPARTMENTS


FILES = Roots(**{kind: _ROOT / place for kind, place in _KINDS.items()})
"""The files of this installation, as they stand now."""


def files_of(settings: Settings) -> Roots:
    """The files themselves, as they stand now: those of the folder that is set, or of this installation.

    The folder holds `feeds`, `rules`, `indicators`, `indexes` and, where these are other ones, `roles.yaml` and
    `departments.yaml`.
    """
    if settings.declarations == Path():
        return FILES
    folder = settings.declarations.absolute()
    for name in OWN_FEEDS:
        if not (folder / name).is_file():
            told = f"{folder} has no {name}; copy schemas/feeds/duty into feeds: the platform writes them"
            raise Misdeclared("settings", f"{PREFIX}DECLARATIONS", told)
    return _roots(folder)


def in_use(settings: Settings) -> Roots:
    """What a home has taken; the files themselves where it has taken nothing yet."""
    return taken(settings.home) or files_of(settings)


def taken(home: Path) -> Roots | None:
    """What a home has taken, or None before its first `up` or `migrate`."""
    found = next((each for each in _folders(home)[:2] if each.is_dir()), None)
    if found is None:
        return None
    return _roots(found)


def take(home: Path, files: Roots) -> None:
    """Take these files from now on, where they are others than before.

    A crash in between leaves the old ones or the new ones, never a mixture.
    """
    folder, old, fresh = _folders(home)
    before = taken(home)
    if before is not None and before.feeds.parent == folder and _same(before, files):
        return
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        for kind in _KINDS:
            _copy(getattr(files, kind), fresh / kind)
        for kind in _LISTS:
            source: Path = getattr(files, kind)
            shutil.copyfile(source, fresh / f"{kind}.yaml")
        if folder.is_dir():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise LiaowangError(f"{folder} cannot be written: {error.strerror}") from error


def contents(roots: Roots) -> dict[str, dict[str, bytes]]:
    """What the declarations say, a kind each: to see which of them another set changes."""
    found = {
        kind: {
            f"{path.parent.name}/{path.name}": path.read_bytes()
            for path in sorted(getattr(roots, kind).glob("*/*.yaml"))
        }
        for kind in _KINDS
    }
    lists = {kind: getattr(roots, kind) for kind in _LISTS}
    return found | {kind: {path.name: path.read_bytes()} for kind, path in lists.items()}


def departments_of(roots: Roots) -> Departments:
    """The departments of a set of declarations; whatever is wrong with them is Misdeclared."""
    own = roots.departments != DEPARTMENTS  # those of this installation name its roles
    return load_departments(roots.departments, load_roles(roots.roles if own else ROLES))


def take_departments(home: Path, content: bytes) -> None:
    """Take another list of departments than before, and nothing else; LiaowangError where it cannot be."""
    found = taken(home)
    if found is not None:
        path = found.feeds.parent / DEPARTMENTS.name
        try:
            write_atomically(path, content)
        except OSError as error:
            raise LiaowangError(f"{path} cannot be written: {error.strerror}") from error


def _same(before: Roots, files: Roots) -> bool:
    whole = before.roles != ROLES and before.departments != DEPARTMENTS
    return whole and contents(before) == contents(files)


def _roots(folder: Path) -> Roots:
    """The declarations in one folder; a home that took them before there were such lists has none."""
    own = {kind: folder / f"{kind}.yaml" for kind in _LISTS}
    lists = {kind: path for kind, path in own.items() if path.is_file()}
    return Roots(**{kind: folder / kind for kind in _KINDS}, **lists)


def _folders(home: Path) -> tuple[Path, Path, Path]:
    """Where the declarations in use are, where they are between two renames, and where new ones are made."""
    return home / FOLDER, home / f"{FOLDER}.old", home / f"{FOLDER}.new"


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob("*/*.yaml")):
        (target / path.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(path, target / path.parent.name / path.name)
