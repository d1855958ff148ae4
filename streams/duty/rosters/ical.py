"""Rosters as iCalendar (RFC 5545): each turn is an event, with all overrides, swaps and holidays applied.

Times are in UTC, so that no client needs to know a time zone. A turn keeps its UID as long as it has its shift
and its beginning: a client that reads again moves it instead of adding one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from icalendar import Calendar, Event

from schemas.fields import TIME_ZONE
from streams.duty.rosters.roster import Occurrence, Team

PRODUCT = "-//Liaowang//duty roster//EN"


def calendar_of(
    title: str,
    turns: Iterable[Occurrence],
    teams: Mapping[str, Team],
    names: Mapping[str, str],
    now: datetime,
) -> bytes:
    """A calendar with these turns; `names` is login -> the officer's name."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", title)
    calendar.add("x-wr-timezone", TIME_ZONE)
    for turn in turns:
        calendar.add_component(_event(turn, teams[turn.team], names.get(turn.login, turn.login), now))
    return bytes(calendar.to_ical())


def _event(turn: Occurrence, team: Team, name: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{turn.team}.{turn.shift}.{turn.starts.astimezone(UTC):%Y%m%dT%H%M%SZ}@liaowang")
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", turn.starts.astimezone(UTC))
    event.add("dtend", turn.ends.astimezone(UTC))
    event.add("summary", f"{team.title['zh']} {turn.shift}: {name}")
    told = f"{team.title['en']}; role {team.role}, region {team.region}"
    if turn.handover:
        told += f"; handover {int(turn.handover.total_seconds() // 60)} min before the next turn"
    event.add("description", told)
    event.add("categories", ["duty"])
    event.add("transp", "OPAQUE")
    return event
