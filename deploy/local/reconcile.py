"""Comparing the parts of a home: log, outbox, duty database, warehouse, committed offsets. Bounded in time.

A home that was copied while it was up, or restored in parts, starts cleanly, and nothing in it would say that its
parts are of different moments. What can be read or published again is mended here; the rest is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from deploy.local.torn import AGAIN, EXAMPLES, Said, Tear, beyond, ledger_beyond, tears
from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Rejected, Unavailable
from schemas.event import decode_tick
from schemas.event import id_of as event_id
from schemas.in_use import in_use
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, WARNING_FEED, WARNINGS
from streams.aside import Aside
from streams.duty.database import models
from streams.duty.database.database import Database
from streams.duty.inbox.read_position import ReadPosition, rows_of, write_down
from streams.duty.inbox.warning_log import log_of
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.topic_records import records_of
from streams.land import reckoning
from streams.land.broker import administration, describe
from streams.land.warehouse import Warehouse

SECONDS = 60.0
"""How long ids are compared at most; a home with more of them is told so."""
_REACHED: sa.Table = models.ReadPosition.__table__  # type: ignore[assignment]


IdOf = Callable[[bytes], str]
"""The id of a record's event; empty for what is none of these."""


@dataclass(frozen=True)
class Place:
    """Where on its topic an event stands, and when it arrived there (ms since 1970)."""

    partition: int
    offset: int
    arrived: int


def reconcile(settings: Settings, *, mend: bool, seconds: float = SECONDS) -> list[Tear]:
    """Compare everything; with `mend` (while no worker runs) read and publish again what is missing.

    Unavailable where broker or warehouse do not answer, or there is more to compare than the time allows.
    """
    return [*offsets_beyond(settings), *_ids(settings, mend, time.monotonic() + seconds)]


def offsets_beyond(settings: Settings) -> list[Tear]:
    """Groups and the ledger that are ahead of the log: quickly known, without reading a record."""
    with administration(settings.kafka) as admin:
        topics = sorted(name for name in admin.list_topics() if not name.startswith("__"))
        ends = {
            f"{topic.name}/{partition}": end
            for topic in describe(admin, topics)
            for partition, (_, end) in topic.offsets.items()
        }
        groups = sorted(group["group_id"] for group in admin.list_groups())
        found = [
            beyond(
                group,
                {
                    f"{tp.topic}/{tp.partition}": at.offset
                    for tp, at in admin.list_group_offsets(group)[group].items()
                    if tp.topic in topics
                },
                ends,
            )
            for group in groups
        ]
    with closing(Warehouse(settings.warehouse("service"))) as warehouse:
        known = load_contracts(in_use(settings).feeds).values()
        feeds = sorted(contract.topic for contract in known if contract.topic in topics)
        balances = reckoning.reckon(settings.kafka, warehouse, feeds)
    found.append(ledger_beyond([f"{each.topic}/{each.partition}" for each in balances if each.open < 0]))
    return [tear for tear in found if tear is not None]


def tell(settings: Settings, found: list[Tear], why: str, say: Callable[[str], None]) -> None:
    """Say what is torn, and leave it to `status` until somebody has looked."""
    aside = Aside(settings.home, "duty", time.time)
    for tear in found:
        say(f"  {tear}")
        if not tear.mended:
            aside.add(f"the home is torn{f' ({why})' if why else ''}: {tear.number} {tear.what}", tear.remedy)


def _ids(settings: Settings, mend: bool, until: float) -> list[Tear]:
    database = Database(settings.duty_database) if _there(settings) else None
    outbox = Outbox(outbox_path(settings)) if outbox_path(settings).exists() else None
    try:
        return _compared(settings, database, outbox, mend, until)
    finally:
        if database is not None:
            database.close()
        if outbox is not None:
            outbox.close()


def _compared(
    settings: Settings, database: Database | None, outbox: Outbox | None, mend: bool, until: float
) -> list[Tear]:
    heard = _heard(database) if database else {}
    published = _messages(database, published=True) if database else set()
    pushes = outbox.ids() if outbox else set()
    warnings, since = _on_topic(settings.kafka, WARNINGS, until, _warning_ids(settings))
    dispositions, kept = _on_topic(settings.kafka, DISPOSITIONS, until, event_id)
    if since:  # retention has begun to remove: what is older may rightly have no record
        pushes &= outbox.ids(since) if outbox else set()
        recent = _heard(database, since) if database else {}
        heard = {id: case for id, case in heard.items() if id in recent}
    if kept and database:
        published &= _messages(database, published=True, since=kept)
    known = _messages(database, published=False) if database else set()
    found = tears(Said(warnings, pushes, heard, dispositions, published, known))
    if mend and database:
        found = [_published_again(database, each, published - set(dispositions)) for each in found]
    return [*found, *_unread(settings, database, outbox, warnings, mend)]


def _unread(
    settings: Settings,
    database: Database | None,
    outbox: Outbox | None,
    warnings: Mapping[str, Place],
    mend: bool,
) -> list[Tear]:
    """Warnings that `push` or `duty` have read past and do not have; mended, they begin at the beginning again."""
    log = log_of(settings.kafka)
    begins = {partition: start for partition, (start, _) in log.offsets.items()}
    found = []
    if outbox:
        here = outbox.reached().get(log.id)
        lost = _passed(here, outbox.missing(warnings), warnings)
        if here and lost and mend:
            outbox.add([], time.time(), reached=_again(here, begins))
        found.append(_lost("push", lost, mend))
    if database:
        with database.reading() as session:
            here = rows_of(session, _REACHED).get(log.id)
            over = _passed_over(session, log.id)
        missing = set(warnings) - set(_heard(database))
        lost = _passed(here, missing, warnings, over)
        if here and lost and mend:
            with database.writing() as session:
                write_down(session, _REACHED, _again(here, begins))
        found.append(_lost("duty", lost, mend))
    return [tear for tear in found if tear is not None]


def _passed(
    here: ReadPosition | None,
    missing: Iterable[str],
    warnings: Mapping[str, Place],
    over: Collection[tuple[int, int]] = (),
) -> list[str]:
    """Those of the missing that stand before where a reader of this log has come to.

    What it set aside (`over`) is not lost, nor what a filling left out on purpose: older than its floor.
    """
    if here is None:
        return []
    floor = here.floor or 0
    return sorted(
        id
        for id, place in ((id, warnings[id]) for id in missing)
        if place.offset < here.next.get(place.partition, 0)
        and place.arrived >= floor
        and (place.partition, place.offset) not in over
    )


def _passed_over(session: Session, log: str) -> set[tuple[int, int]]:
    """Where the warnings stand that duty set aside; a database that is yet to be brought to form says nothing."""
    if not sa.inspect(session.connection()).has_table(models.Passed.__tablename__):
        return set()
    query = sa.select(models.Passed.partition, models.Passed.offset).where(models.Passed.log == log)
    return {(partition, offset) for partition, offset in session.execute(query)}


def _again(here: ReadPosition, begins: Mapping[int, int]) -> ReadPosition:
    """From the beginning; where a filling has left out what had ended, that is left out again."""
    return ReadPosition(here.log, begins, filling=here.filling if here.floor is None else here.floor)


def _lost(reader: str, lost: list[str], mend: bool) -> Tear | None:
    if not lost:
        return None
    remedy = "they are read again" if mend else "`liaowang down` and `up` read them again"
    what = f"warnings that {reader} has read past and does not have"
    return Tear(what, len(lost), tuple(lost[:EXAMPLES]), remedy, mend)


def _published_again(database: Database, tear: Tear, ids: set[str]) -> Tear:
    """Let what is missing on the topic be published again."""
    if tear.remedy != AGAIN:
        return tear
    with database.writing() as session:
        for uid in ids:
            session.execute(sa.update(models.Message).where(models.Message.uid == uid).values(published=None))
    return replace(tear, remedy="they are published again", mended=True)


def _warning_ids(settings: Settings) -> IdOf:
    """Gives the id of what the readers of warnings take for one: by the contract, and no tick."""
    decoder = Decoder(load_contracts(in_use(settings).feeds)[WARNING_FEED])

    def id_of(raw: bytes) -> str:
        try:
            return "" if decode_tick(raw) is not None else str(decoder.decode(raw).id)
        except Rejected:
            return ""

    return id_of


def _on_topic(broker: str, topic: str, until: float, id_of: IdOf) -> tuple[dict[str, Place], datetime | None]:
    """The ids of the events on a topic with their places; since when all are there, if retention removed some.

    Of a partition of which nothing is left that is from now on.
    """
    found: dict[str, Place] = {}
    firsts = _emptied(broker, topic)
    for record in records_of(broker, topic):
        firsts.setdefault(record.partition, (record.offset, record.timestamp))
        if time.monotonic() > until:
            raise Unavailable(
                f"{topic} has more messages than are compared in the time; liaowang reconcile --seconds"
            )
        if id := id_of(record.value or b"{}"):
            found.setdefault(id, Place(record.partition, record.offset, record.timestamp))
    cut = [arrived for first, arrived in firsts.values() if first > 0]
    return found, datetime.fromtimestamp(max(cut) / 1000, UTC) if cut else None


def _emptied(broker: str, topic: str) -> dict[int, tuple[int, int]]:
    """Partitions of which retention has left nothing: their first offset and now (ms), as of a first record."""
    with administration(broker) as admin:
        if topic not in admin.list_topics():
            return {}
        offsets = describe(admin, [topic])[0].offsets
    now = int(time.time() * 1000)
    return {partition: (start, now) for partition, (start, end) in offsets.items() if start == end}


def _heard(database: Database, since: datetime | None = None) -> dict[str, str]:
    """Transitions that were heard -> the number of their case, empty where there is none.

    `since`: those of cases only that began, and were heard, since that moment.
    """
    query = sa.select(models.Heard.id, models.Heard.case_id)
    if since:
        query = query.join(models.Case).where(models.Heard.at >= since, models.Case.occurred >= since)
    with database.reading() as session:
        rows = session.execute(query)
        return {id: "" if case is None else f"case {case}" for id, case in rows}


def _messages(database: Database, *, published: bool, since: datetime | None = None) -> set[str]:
    """The changes there are for `dispositions`, or of them those that were published; made since a moment."""
    query = sa.select(models.Message.uid).where(models.Message.topic == DISPOSITIONS)
    if since:
        query = query.where(models.Message.created >= since)
    with database.reading() as session:
        return set(
            session.scalars(query.where(models.Message.published.is_not(None)) if published else query)
        )


def _there(settings: Settings) -> bool:
    """Whether there is a duty database already."""
    return bool(settings.duty_database_url) or (Path(settings.home) / "duty" / "duty.sqlite").exists()
