"""`liaowang rules backtest`: what a rule would have warned of on landed history, beside another version of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli.complaint import complain
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.environment import declared, load_settings
from deploy.rule_history import backtest as tried
from deploy.rule_history.backtest import Version
from deploy.rule_history.backtest_picture import draw, require_picture
from deploy.rule_history.backtest_report import Outcome, as_plain, show
from deploy.rule_history.judged import judged
from deploy.rule_history.landed_log import Place, Stretch
from deploy.rules import files as files
from deploy.rules.rule_files import found
from schemas.contract import Contract, load_contracts
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.settings import Settings
from schemas.topics import WARNING_FEED
from streams.watch.declare.baseline import BaselineTable, read_baseline
from streams.watch.declare.load import load_rule, load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import History
from streams.watch.trial.backtest import (
    Episode,
    Judged,
    by_region,
    day_of,
    episodes,
    load,
    pair,
    quality,
)
from streams.watch.trial.offline import with_members

WARM_UP = 35
COOL_DOWN = timedelta(days=1)
"""What is read after the last day, so that what waits for late events at its end is judged."""


def backtest(
    rule: Annotated[str, typer.Argument(help="A rule's id, or a YAML file anywhere.", show_default=False)],
    since: Annotated[
        str, typer.Option("--from", help="First day (Asia/Shanghai); all history without it.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Last day; all history without it.")] = "",
    against: Annotated[
        str,
        typer.Option(help="What it is compared with: a published version's number, `published`, or a file."),
    ] = "",
    timeline: Annotated[
        str, typer.Option(help="Only this timeline: `live`, or a replay's name; all of them without it.")
    ] = "",
    warm_up: Annotated[
        int, typer.Option(min=0, help="Days read before --from, so that windows are full.")
    ] = WARM_UP,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="CSV of subject,slot,mean,sd; its name is the table's.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write a timeline of the episodes: .html, or .png.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    processes: Annotated[int, typer.Option(min=0, help="Processes; 0 for one a core.")] = 0,
) -> None:
    """Replay what is landed (events, late ones, ticks) through a rule; show its episodes beside another version's.

    The same code as `watch` decides. With --against each episode is the same, earlier, later, new or gone.
    """
    settings, contracts = load_settings(), load_contracts(declared().feeds)
    first, last = _day(since, "--from"), _day(until, "--to")
    if first and last and last < first:
        raise Misdeclared("arguments", "--to", f"{last} is before {first}")
    if picture is not None:
        require_picture(picture)
    history = files.history(settings) if against == "published" or against.isdigit() else None
    new, versions = _versions(rule, against, contracts, history, _tables(baseline or ()))
    since_day = first - timedelta(days=warm_up) if first else Stretch.since
    stretch = Stretch(since_day, last + COOL_DOWN if last else Stretch.until)
    begun = time.monotonic()
    transitions, records, missing = _run(
        settings, contracts, versions, stretch, processes or os.cpu_count() or 1
    )
    roles = [each.rules(contracts)[-1].duty_role for each in versions]
    outcome = _outcome(settings, new, versions, roles, transitions, _Wanted(first, last, timeline))
    if picture is not None:
        draw(picture, f"{new.id} {new.title}", outcome.pairs, outcome.names[::-1])
    if json_:
        typer.echo(
            json.dumps(
                as_plain(outcome, records, time.monotonic() - begun) | {"missing": missing},
                ensure_ascii=False,
            )
        )
    else:
        show(screen(), outcome, records, time.monotonic() - begun)


@dataclass(frozen=True)
class _Wanted:
    """Which episodes are told: those that open on these days, of this timeline."""

    first: date | None
    last: date | None
    timeline: str

    def takes(self, each: Episode | Judged) -> bool:
        day = day_of(each.start)
        named = "" if self.timeline == "live" else self.timeline
        return (
            (self.first is None or day >= self.first.isoformat())
            and (self.last is None or day <= self.last.isoformat())
            and (not self.timeline or each.timeline == named)
        )


def _versions(
    name: str,
    against: str,
    contracts: Mapping[str, Contract],
    history: History | None,
    tables: Mapping[str, BaselineTable],
) -> tuple[Rule, list[Version]]:
    """The rule, and the versions to try: it itself, then what it is compared with."""
    new = load_rule(found(name, declared().rules), contracts, declared().rules)
    known = list(load_rules(contracts, declared().rules, drafts=True))
    made = [_version(f"version {new.version}, {name}", new, known, tables)]
    if against:
        old, words = _old(new, against, contracts, history)
        made.append(_version(words, old, known, tables))
    return new, made


def _old(
    new: Rule, against: str, contracts: Mapping[str, Contract], history: History | None
) -> tuple[Rule, str]:
    if history is None:
        old = load_rule(found(against, declared().rules), contracts, declared().rules)
        return old, f"version {old.version}, {against}"
    if against == "published":
        entry = history.in_force().get(new.id)
        text, number = (entry.text, entry.version) if entry else (None, 0)
    else:
        number = int(against)
        text = history.text(new.id, number)
    if text is None:
        there = ", ".join(str(entry.version) for _, entry in history.versions(new.id) if entry.text) or "none"
        what = "no version in force" if against == "published" else f"no published version {number}"
        raise Misdeclared("arguments", "--against", f"{new.id} has {what}; there are {there}")
    return parse_published(text, f"{new.id}@{number}", contracts), f"version {number}, published"


def _version(name: str, rule: Rule, known: Sequence[Rule], tables: Mapping[str, BaselineTable]) -> Version:
    members = with_members([each for each in known if each.id != rule.id], rule)
    beside = [each.wait for each in known if set(each.feeds) & set(rule.feeds) and each.status == "active"]
    texts = tuple((each.id, each.text) for each in members)
    return Version(name, texts, tables, max([0, rule.wait, *beside]))


def _tables(paths: Sequence[Path]) -> dict[str, BaselineTable]:
    return {path.stem: read_baseline(1, path) for path in paths}


def _day(text: str, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Misdeclared("arguments", name, f"{text!r} must be a day such as 2025-06-30") from None


def _run(
    settings: Settings,
    contracts: Mapping[str, Contract],
    versions: Sequence[Version],
    stretch: Stretch,
    processes: int,
) -> tuple[list[list[Transition]], int, dict[str, dict[str, int]]]:
    read_of = {feed for each in versions for rule in each.rules(contracts) for feed in rule.feeds}
    feeds = sorted(read_of & contracts.keys() - {WARNING_FEED})
    there = tried.found(settings, contracts, feeds)
    read = 0
    with progress_bars(Console(stderr=True)) as bars:
        task = bars.add_task("back-test", total=sum(place.size for place in there))

        def hear(offsets: int, records: int) -> None:
            nonlocal read
            read += records
            bars.advance(task, offsets)

        made = tried.run(settings, contracts, versions, stretch, processes, hear)
    missing = {feed: _missing(there, feed) for feed in feeds if _missing(there, feed)["missing"]}
    for feed, told in missing.items():
        complain(f"{feed}: {told['missing']:,} of {told['events']:,} records are landed no more (retention)")
    for feed in tried.without_events(settings, contracts, feeds, stretch):
        complain(f"{feed}: no events are landed of these days")
    return made, read, missing


def _missing(there: Sequence[Place], feed: str) -> dict[str, int]:
    """Of a feed: how many events and refusals there were, and how many of them are landed no more."""
    mine = [place for place in there if place.feed == feed]
    return {"events": sum(each.events for each in mine), "missing": sum(each.missing for each in mine)}


def _outcome(
    settings: Settings,
    rule: Rule,
    versions: Sequence[Version],
    roles: Sequence[str],
    transitions: Sequence[Sequence[Transition]],
    wanted: _Wanted,
) -> Outcome:
    found = tuple(
        tuple(each for each in episodes(t for t in made if t.rule == rule.id) if wanted.takes(each))
        for made in transitions
    )
    old = found[1] if len(found) > 1 else found[0]
    pairs = pair(old, found[0])
    regions = load_regions()

    def city_of(code: str) -> str:
        city = regions.city_of(code)
        return city.name if city else regions.province.name

    cases = [each for each in judged(settings, rule.id) if wanted.takes(each)]
    days = _days(found, wanted)
    return Outcome(
        rule,
        tuple(each.name for each in versions),
        found,
        tuple(pairs),
        tuple(by_region(pairs, city_of)),
        tuple(load(role, each, days) for role, each in zip(roles, found, strict=True)),
        tuple(quality(each, cases) for each in found) if cases else (),
    )


def _days(found: Sequence[Sequence[Episode]], wanted: _Wanted) -> int:
    starts = [day_of(each.start) for episodes_ in found for each in episodes_]
    first = wanted.first or (date.fromisoformat(min(starts)) if starts else None)
    last = wanted.last or (date.fromisoformat(max(starts)) if starts else None)
    return (last - first).days + 1 if first and last else 0
