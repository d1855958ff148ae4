"""Which departments are behind a warning, as they are declared now: whom an officer calls about the feed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from schemas.contract import Contract
from schemas.departments import Department, Departments
from schemas.errors import Misdeclared
from schemas.in_use import Roots, departments_of, in_use
from schemas.settings import Settings
from streams.watch.declare.rule import Rule

log = logging.getLogger("liaowang.console")

Stamp = tuple[tuple[Path, int, int, int], ...]


class DepartmentsNow:
    """Gives the departments, read again where their file has changed; those of before while it is wrong.

    Another telephone is so shown without a restart. None where there never were any that could be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: Departments | None = None
        self._stamp: Stamp = ()

    def __call__(self) -> Departments | None:
        """The departments of the moment."""
        try:
            roots = in_use(self._settings)
            stamp = _stamp(roots)
            if stamp != self._stamp:
                self._stamp = stamp
                self._known = departments_of(roots)
        except (Misdeclared, OSError) as error:
            told = "shown as before" if self._known else "shown by their ids"
            log.warning("departments are %s: %s", told, error)
        return self._known


def behind(
    rule: Rule | None,
    rules: Mapping[str, Rule],
    contracts: Mapping[str, Contract],
    departments: Departments | None,
) -> list[tuple[str, Department | None]]:
    """The departments whose feeds a rule reads, its own feed's first; None where one is not declared.

    Of a composite they are those of the rules it is made of, as they are among `rules`.
    """
    feeds = dict.fromkeys(_feeds(rule, rules)) if rule is not None else {}
    ids = dict.fromkeys(contracts[feed].department for feed in feeds if feed in contracts)
    return [(id, departments.get(id) if departments else None) for id in ids]


def _feeds(rule: Rule, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """The feeds a warning was made of in the end; a composite reads warnings, which are no department's data."""
    found, waiting, seen = list[str](), [rule], set[str]()
    while waiting:
        each = waiting.pop(0)
        seen.add(each.id)
        found += () if each.members else (each.feed, *each.feeds)
        waiting += [rules[name] for name in each.members if name in rules and name not in seen]
    return tuple(found)


def _stamp(roots: Roots) -> Stamp:
    found = [(path, path.stat()) for path in (roots.departments, roots.roles)]
    return tuple((path, stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in found)
