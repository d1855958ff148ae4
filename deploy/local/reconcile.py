"""Comparing the parts of a home: log, outbox, duty database, warehouse, committed offsets. Bounded in time.

A home that was copied while it was up, or restored in parts, starts cleanly, and nothing in it would say that its
parts are of different moments. What can be read or published again is mended here; the rest is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from deploy.local.torn import AGAIN, EXAMPLES, Said, Tear, beyond, ledger_beyond, tears
from schemas.contract import load_contracts
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from streams.aside import Aside
from streams.duty import models
from streams.duty.database import Database
from streams.duty.outbox import Outbox
from streams.duty.push_worker import outbox_path
from streams.duty.reached import Reached, rows_of, write_down
from streams.duty.topic_records import records_of
from streams.duty.warning_log import log_of
from streams.land import reckoning
from streams.land.broker import administration, describe
from streams.land.warehouse import Warehouse

SECONDS = 60.0
"""How long ids are compared at most; a home with more of them is told so."""
_TICK = "liaowang.tick.v1"
_REACHED: sa.Table = models.Reached.__table__  # type: ignore[assignment]


class _Head(msgspec.Struct):
    id: str = ""
    type: str = ""


_HEAD = msgspec.json.Decoder(_Head)
Place = tuple[int, int]


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
                },
                ends,
            )
            for group in groups
        ]
    with closing(Warehouse(settings.warehouse("service"))) as warehouse:
        feeds = sorted(contract.topic for contract in load_contracts().values() if contract.topic in topics)
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
    warnings, since = _on_topic(settings.kafka, WARNINGS, until)
    dispositions, _ = _on_topic(settings.kafka, DISPOSITIONS, until)
    if since:  # retention has begun to remove: what is older may rightly have no record
        pushes = outbox.ids(since) if outbox else set()
        heard = _heard(database, since) if database else {}
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
    begin = Reached(log.id, {partition: start for partition, (start, _) in log.offsets.items()})
    found = []
    if outbox:
        lost = _passed(outbox.reached(), log.id, outbox.missing(warnings), warnings)
        if lost and mend:
            outbox.add([], time.time(), reached=begin)
        found.append(_lost("push", lost, mend))
    if database:
        with database.reading() as session:
            reached = rows_of(session, _REACHED)
        lost = _passed(reached, log.id, set(warnings) - set(_heard(database)), warnings)
        if lost and mend:
            with database.writing() as session:
                write_down(session, _REACHED, begin)
        found.append(_lost("duty", lost, mend))
    return [tear for tear in found if tear is not None]


def _passed(
    known: Mapping[str, Reached], log: str, missing: set[str], warnings: Mapping[str, Place]
) -> list[str]:
    """Those of the missing that stand before where a reader of this log has come to."""
    here = known[log].next if log in known else {}
    return sorted(id for id in missing if warnings[id][1] < here.get(warnings[id][0], 0))


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


def _on_topic(broker: str, topic: str, until: float) -> tuple[dict[str, Place], datetime | None]:
    """The ids of the events on a topic with their places; since when all are there, if retention removed some."""
    found: dict[str, Place] = {}
    firsts: dict[int, tuple[int, int]] = {}
    for record in records_of(broker, topic):
        firsts.setdefault(record.partition, (record.offset, record.timestamp))
        if time.monotonic() > until:
            raise Unavailable(
                f"{topic} has more messages than are compared in the time; liaowang reconcile --seconds"
            )
        try:
            head = _HEAD.decode(record.value or b"{}")
        except msgspec.MsgspecError:
            continue
        if head.id and head.type != _TICK:
            found[head.id] = (record.partition, record.offset)
    cut = [arrived for first, arrived in firsts.values() if first > 0]
    return found, datetime.fromtimestamp(max(cut) / 1000, UTC) if cut else None


def _heard(database: Database, since: datetime | None = None) -> dict[str, str]:
    """Transitions that were heard -> the number of their case, empty where there is none."""
    query = sa.select(models.Heard.id, models.Heard.case_id)
    with database.reading() as session:
        rows = session.execute(query.where(models.Heard.at >= since) if since else query)
        return {id: "" if case is None else f"case {case}" for id, case in rows}


def _messages(database: Database, *, published: bool) -> set[str]:
    query = sa.select(models.Message.uid).where(models.Message.topic == DISPOSITIONS)
    with database.reading() as session:
        return set(
            session.scalars(query.where(models.Message.published.is_not(None)) if published else query)
        )


def _there(settings: Settings) -> bool:
    """Whether there is a duty database already."""
    return bool(settings.duty_database_url) or (Path(settings.home) / "duty" / "duty.sqlite").exists()
