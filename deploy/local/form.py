"""A home brought to what the files declare: warehouse, topics, rules; what is wrong keeps what runs as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from dagster_project.mart.tables import marts
from deploy.local.readers import take_declarations
from deploy.provision.migrate import migrate
from deploy.provision.topics import ensure_topics
from deploy.rules.files import RulePlan, plan_of, publish_files, publish_planned
from deploy.rules.gone import require_judged, require_unread
from schemas.contract import Contract, load_contracts
from schemas.department_use import require_departments, strange_tokens
from schemas.errors import Misdeclared, together
from schemas.in_use import Roots, files_of, in_use, taken
from schemas.regions import load_regions
from schemas.roles import load_roles
from schemas.settings import Settings
from streams import aside
from streams.duty.notify.channels.config import load_channels
from streams.duty.notify.channels.home import channels_path
from streams.duty.rosters.desk import roster_path
from streams.duty.rosters.roster_yaml import load_roster
from streams.watch.declare.load import load_rules
from streams.watch.publish.published import NEWEST

TELLER = "health"
"""The service under which `status` tells of declarations that were set aside."""
WATCHER = "watch"
"""Who judges by rules: while it has declarations of before, or did not come back, new rules wait for it."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Formed:
    """What bringing to form leads to: the programs that run with declarations of before, the rules to publish.

    `rules` is None where they are to be looked at anew.
    """

    behind: tuple[str, ...]
    rules: RulePlan | None = None


def bring_to_form(settings: Settings, say: Say, files: Roots | None = None) -> Formed:
    """Bring all but the rules to what the files declare (those of the settings where none are given); take them.

    Rules are published after it (`publish_rules`), when `watch` has the feeds they are about.

    Where one of them is wrong, a stack that has taken declarations before goes on with those, and says so. A file
    of duty that is wrong by itself keeps nothing else back: duty goes on with what that file said before.
    """
    kept, own = taken(settings.home), ""
    files = files or files_of(settings)
    try:
        own = _demand_home(settings, files, kept)
        contracts, departments = require_right(files), require_departments(files)
        _form(settings, files, contracts, say)
        rules = plan_of(settings, contracts, files)
        if kept is not None:
            before = load_contracts(kept.feeds)
            require_unread(rules.told, before, contracts)
            require_judged(settings, rules.told, before, contracts)
    except Misdeclared as error:
        if kept is None:
            raise
        later: list[str] = []  # what is a setting's fault, or the warehouse's, fails with these as well
        _form(settings, kept, require_right(kept), later.append)
        for line in str(error).splitlines():
            say(line)
        say(
            "set aside: all goes on with the declarations of before; mend the file and run `liaowang up` again"
        )
        aside.Aside(settings.home, TELLER, time.time).add("declarations", str(error))
        for line in later:
            say(line)
    else:
        owed = take_declarations(settings.home, files)
        for line in strange_tokens(settings.tokens(), departments):
            say(line)
        aside.clear(settings.home, TELLER)
        if own:
            say(f"{own}; duty goes on with what that file said before")
            aside.Aside(settings.home, TELLER, time.time).add("a file of duty", own)
        return Formed(tuple(owed), rules)
    return Formed(tuple(take_declarations(settings.home, kept)))


def publish_rules(settings: Settings, say: Say, formed: Formed, without: Collection[str]) -> None:
    """Publish the rules in use that are new; one in force that cannot be read under these contracts is told.

    None are where `watch` is among those `without` the declarations of now: it would not know their feeds. What
    was planned with the form is published as it is, unless somebody has published since.
    """
    if WATCHER in without:
        return
    done = publish_planned(settings, formed.rules) if formed.rules is not None else None
    if done is None:
        roots = in_use(settings)
        done = publish_files(settings, load_contracts(roots.feeds), roots, _unreadable(settings, say))
    for entry in done:
        newest = entry.kind == NEWEST
        say(
            f"rules that name {entry.rule} read {entry.text} from the next tick on"
            if newest
            else f"rule {entry.rule}: version {entry.version} published"
        )


def _unreadable(settings: Settings, say: Say) -> Callable[[Misdeclared], None]:
    """What is done about a rule in force that cannot be read: it is left out, and told."""

    def tell(error: Misdeclared) -> None:
        say(f"{error}; it is passed over: `liaowang rules retire` or `rules publish` mends it")
        aside.Aside(settings.home, TELLER, time.time).add("a rule in force", str(error))

    return tell


def _demand_home(settings: Settings, files: Roots, kept: Roots | None) -> str:
    """What is wrong with the roster or the channels of a home, whichever roles are taken; empty where nothing is.

    Misdeclared where the roles that are to be taken are at fault: with those of before the files were right.
    """
    try:
        _read_home(settings, files)
    except Misdeclared as error:
        if kept is None:
            raise
        try:
            _read_home(settings, kept)
        except Misdeclared as before:
            return str(before)
        raise error from None
    return ""


def _read_home(settings: Settings, roots: Roots) -> None:
    roles = load_roles(roots.roles)
    if (roster := roster_path(settings)).exists():
        load_roster(roster, load_regions(), roles)
    load_channels(channels_path(settings), roles)


def require_right(roots: Roots) -> dict[str, Contract]:
    """Read all declarations before anything is touched; Misdeclared names every file that is wrong.

    Where contracts are, rules and figures made of their feeds are not judged.
    """
    contracts = load_contracts(roots.feeds)
    wrong: list[Misdeclared] = []
    for read in (lambda: load_rules(contracts, roots.rules), lambda: marts(roots)):
        try:
            read()
        except Misdeclared as error:
            wrong.append(error)
    if wrong:
        raise together(wrong)
    return contracts


def _form(settings: Settings, roots: Roots, contracts: dict[str, Contract], say: Say) -> None:
    """Migrate the warehouse and make the topics that are missing."""
    done = migrate(settings, roots)
    made = ensure_topics(settings, contracts)
    say(f"warehouse: {len(done.applied)} migrations applied; kafka: {len(made)} topics made")
    for line in done.told():
        say(line)
