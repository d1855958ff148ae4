"""The CAP messages of the duty database: one by its identifier, and the index of what holds now as Atom and RSS.

The index has the latest message of every episode that is not over, and of those that ended within a day. It shows
what its reader may see by role and region. Sources: RFC 4287; RSS 2.0; OASIS, Example Practices: CAP Feeds 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.regions import Regions
from streams.duty.accounts.rights import Actor, below
from streams.duty.cases.queries import seen_by
from streams.duty.database.models import AuditEntry, Case
from streams.duty.refusals import NotFound
from streams.duty.systems import cap

ATOM = "http://www.w3.org/2005/Atom"
KEPT = timedelta(days=1)
MOST = 500
OWN = "duty."
"""Rules of the duty desk itself, such as holes in the roster, concern nobody else."""
TITLE = "瞭望预警 Liaowang warnings"


@dataclass(frozen=True)
class Publisher:
    """Who tells: `sender` as CAP names it, `web` the console's address, `events` a rule's titles by its id."""

    sender: str = "liaowang@localhost"
    web: str = ""
    events: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def current(
    session: Session, publisher: Publisher, actor: Actor, regions: Regions, now: datetime, region: str = ""
) -> list[cap.Told]:
    """The latest message of each episode that holds, or ended within a day; the newest first."""
    latest = sa.select(sa.func.max(AuditEntry.ordinal)).where(
        AuditEntry.case_id == Case.id, AuditEntry.kind.in_(cap.TYPES)
    )
    query = (
        _messages(actor, regions)
        .where(
            sa.or_(Case.recovered.is_(None), Case.changed > now - KEPT),
            sa.or_(AuditEntry.kind.not_in(cap.ENDS), AuditEntry.at > now - KEPT),
            AuditEntry.ordinal == latest.correlate(Case).scalar_subquery(),
        )
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(MOST)
    )
    if region:
        query = query.where(Case.region.in_(sorted(below(region, regions) | {region})))
    return [_told(entry, case, (), publisher, regions) for entry, case in session.execute(query)]


def message(
    session: Session, publisher: Publisher, actor: Actor, regions: Regions, identifier: str
) -> cap.Told:
    """The message of this identifier with all that went before it; NotFound where there is none to be seen."""
    uid, _, ordinal = identifier.rpartition(".")
    query = _messages(actor, regions).where(Case.uid == uid, AuditEntry.ordinal <= int(ordinal))
    rows = session.execute(query.order_by(AuditEntry.ordinal)).all()
    if not rows or rows[-1][0].ordinal != int(ordinal):
        raise NotFound(f"no message {identifier}", "identifier")
    earlier = [cap.Earlier(cap.identifier(uid, entry.ordinal), entry.at) for entry, _ in rows[:-1]]
    entry, case = rows[-1]
    return _told(entry, case, earlier, publisher, regions)


def atom(messages: Sequence[cap.Told], here: str, link: Callable[[str], str], now: datetime) -> bytes:
    """The index as Atom; `here` is its own address, `link` gives a message's by its identifier."""
    feed = Element("feed", xmlns=ATOM)
    SubElement(feed, "id").text = here.partition("?")[0]
    SubElement(feed, "title").text = TITLE
    SubElement(feed, "updated").text = cap.moment(max((each.sent for each in messages), default=now))
    SubElement(SubElement(feed, "author"), "name").text = "Liaowang"
    SubElement(feed, "link", rel="self", href=here, type="application/atom+xml")
    for each in messages:
        entry = SubElement(feed, "entry")
        SubElement(entry, "id").text = f"urn:liaowang:cap:{each.identifier}"
        SubElement(entry, "title").text = cap.plain(cap.headline(each, "zh-CN"))
        SubElement(entry, "updated").text = cap.moment(each.sent)
        SubElement(entry, "published").text = cap.moment(each.sent)
        SubElement(entry, "summary").text = cap.plain(cap.headline(each, "en-US"))
        SubElement(entry, "category", term=cap.TYPES[each.kind])
        SubElement(entry, "link", rel="alternate", href=link(each.identifier), type=cap.MEDIA_TYPE)
    return cap.serialised(feed)


def rss(messages: Sequence[cap.Told], here: str, link: Callable[[str], str], now: datetime) -> bytes:
    """The index as RSS 2.0."""
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    SubElement(channel, "title").text = TITLE
    SubElement(channel, "link").text = here.partition("?")[0]
    SubElement(channel, "description").text = "CAP 1.2 messages of the warnings that hold"
    SubElement(channel, "language").text = "zh-CN"
    SubElement(channel, "lastBuildDate").text = format_datetime(
        max((each.sent for each in messages), default=now)
    )
    for each in messages:
        item = SubElement(channel, "item")
        SubElement(item, "title").text = cap.plain(cap.headline(each, "zh-CN"))
        SubElement(item, "link").text = link(each.identifier)
        SubElement(item, "description").text = cap.plain(cap.headline(each, "en-US"))
        SubElement(item, "guid", isPermaLink="false").text = f"urn:liaowang:cap:{each.identifier}"
        SubElement(item, "pubDate").text = format_datetime(each.sent)
    return cap.serialised(root)


def _messages(actor: Actor, regions: Regions) -> sa.Select[Any]:
    return (
        sa.select(AuditEntry, Case)
        .join(Case, Case.id == AuditEntry.case_id)
        .where(
            AuditEntry.kind.in_(cap.TYPES),
            Case.kind == "warning",
            Case.rule.not_like(f"{OWN}%"),
            seen_by(actor, regions),
        )
    )


def _told(
    entry: AuditEntry, case: Case, earlier: Sequence[cap.Earlier], publisher: Publisher, regions: Regions
) -> cap.Told:
    detail = json.loads(entry.detail)
    return cap.Told(
        identifier=cap.identifier(case.uid, entry.ordinal),
        kind=entry.kind,
        sent=entry.at,
        level=entry.level,
        title=detail.get("title") or case.title,
        event=publisher.events.get(case.rule, (case.rule, case.rule)),
        rule=case.rule,
        subject=case.subject,
        region=regions.get(case.region) or regions.province,
        onset=case.occurred,
        runbook=case.runbook,
        value=detail.get("value"),
        threshold=detail.get("threshold"),
        replay=bool(case.timeline),
        earlier=earlier,
        web=f"{publisher.web}/cases/{case.id}",
    )
