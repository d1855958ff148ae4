"""Everything the console is made of, put together once and handed to every page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment

from schemas.contract import Contract
from schemas.departments import Departments
from schemas.regions import Regions
from streams.bounded import Places, Shares
from streams.console.accounts import Accounts
from streams.console.cached import Cached
from streams.console.facts import FeedState, Standing, Trust
from streams.console.i18n import Words
from streams.console.live import Hub
from streams.console.meters import Meters
from streams.console.oidc import Provider
from streams.console.pauses import Pauses
from streams.console.reading import Reading
from streams.console.reviewed import Reviews
from streams.console.tiles import Tile
from streams.duty.accounts.limits import Limiter
from streams.duty.database.database import Database
from streams.duty.rosters.desk import Desk
from streams.watch.declare.rule import Rule


@dataclass(frozen=True)
class ConsoleDependencies:
    """What the console's pages need. `desk` gives the roster of the moment; `key` signs links and cookies.

    `departments` gives them as they are declared at the moment; None where they cannot be read.
    `rules` are those in force at the moment; `known` has the newest version of every rule that ever was published.

    `refresh_slots`: how many pages that only keep themselves up to date are made at once; who clicks goes first.
    `sign_ins`: tries of one login at one place; `places`: of all logins there; `taps`: of links that are not ours.
    `pauses`: what wrong passwords cost; `hashing`: places for looking at passwords, each of which takes memory;
    `known_hashing`: for browsers in which that officer has signed in before, so that no crowd keeps him out.
    `files`: places for files that are sent, some of which each officer may take.
    `query_slots`: the same for pages that query the warehouse, which may take seconds and must not delay others.
    """

    database: Database
    desk: Callable[[], Desk]
    accounts: Accounts
    words: Mapping[str, Words]
    templates: Environment
    regions: Regions
    rules: Mapping[str, Rule]
    known: Mapping[str, Rule]
    contracts: Mapping[str, Contract]
    departments: Callable[[], Departments | None]
    tiles: tuple[Tile, ...]
    service: Reading
    mart: Reading
    standings: Cached[tuple[Standing, ...]]
    feeds: Cached[tuple[FeedState, ...]]
    trust: Cached[Trust]
    meters: Cached[Meters]
    reviews: Cached[Reviews]
    hub: Hub
    refresh_slots: asyncio.Semaphore
    query_slots: asyncio.Semaphore
    requests: Limiter
    sign_ins: Limiter
    places: Limiter
    taps: Limiter
    pauses: Pauses
    hashing: Places
    known_hashing: Places
    files: Shares
    clock: Callable[[], datetime]
    key: str
    cookie: str
    provider: Provider | None
