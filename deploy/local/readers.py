"""Which programs have declarations of before, because they read them when they start.

Declarations are taken here, by `up`, `migrate` and `apply` alike: whoever runs and reads what differs is written
down before, so that whatever ends the taking in between, nobody who is behind is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.local.control import Control, Process
from deploy.local.services import SERVICES
from schemas.atomic_write import write_atomically
from schemas.in_use import FOLDER, OWN_FEEDS, Roots, contents, take, taken

PROJECT = ("dagster-code", "dagster-webserver", "dagster-daemon")
"""Who has Dagster's project: the one that has loaded it, and those that have asked it what there is."""
READERS = {
    "feeds": (
        "warehouse",
        "gateway",
        "ticker",
        "land",
        "watch",
        "push",
        "duty",
        "console",
        *PROJECT,
    ),
    "roles": ("push", "duty", "console"),
    "departments": ("gateway",),
    "rules": ("duty", "console"),
    "indicators": ("warehouse", *PROJECT),
    "indexes": ("warehouse", *PROJECT),
}
"""Which programs read a kind of declaration when they start. Rules in force come by their topic, to duty and
console as well, which go by the files only until they have seen any there.

Of departments only rights are kept by a program; names and contacts are read when they are shown."""
OF_OWN_FEEDS = ("push", "duty")
"""Of those that read feeds, who reads only the ones that the platform writes itself."""
Contents = Mapping[str, Mapping[str, bytes]]


def readers_of(before: Contents, now: Contents) -> list[str]:
    """The programs that read what has changed, in the order of services."""
    changed = {kind for kind in before if before[kind] != now[kind]}
    names = {name for kind in changed for name in READERS[kind]}
    own = [each.removeprefix("feeds/") for each in OWN_FEEDS]
    if "feeds" in changed and all(before["feeds"].get(each) == now["feeds"].get(each) for each in own):
        names -= {
            name for name in OF_OWN_FEEDS if not any(name in READERS[kind] for kind in changed - {"feeds"})
        }
    return [service.name for service in SERVICES if service.name in names]


def take_declarations(home: Path, files: Roots) -> list[str]:
    """Take these files from now on; gives the programs that run and have those of before."""
    processes, before = Control(home).processes() or {}, taken(home)
    named = readers_of(contents(before), contents(files)) if before is not None else []
    write_behind(home, {*behind(home, processes), *named})
    take(home, files)
    return behind(home, processes)


def write_behind(home: Path, names: Iterable[str]) -> None:
    """Write down that these have declarations of before, until they start again."""
    write_atomically(_path(home), json.dumps(sorted(names)).encode())


def behind(home: Path, processes: Mapping[str, Process]) -> list[str]:
    """Those that were written down, run, and have started neither since nor since the declarations were taken."""
    try:
        since, names = _path(home).stat().st_mtime, json.loads(_path(home).read_bytes())
    except (OSError, ValueError):
        return []
    if (home / FOLDER).is_dir():
        since = max(since, (home / FOLDER).stat().st_ctime)  # of the renaming that took them
    found = {name for name in names if name in processes and 0 < processes[name].started <= since}
    return [service.name for service in SERVICES if service.name in found]


def _path(home: Path) -> Path:
    return home / "run" / "behind.json"
