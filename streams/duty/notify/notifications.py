"""Notifications in the database: what waits, what is under way, and what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.levels import LEVELS
from schemas.regions import Regions
from streams.duty.accounts.officers import unfit
from streams.duty.accounts.rights import PLATFORM, Actor, Origin
from streams.duty.cases.records import record
from streams.duty.cases.told import DEAD, DELIVERED, PENDING, SUPPRESSED, heard_before, of_round
from streams.duty.database.models import Case, Notification, Officer
from streams.duty.database.models import Silence as SilenceRow
from streams.duty.faults import Fault, fault_of
from streams.duty.lifecycle import CLOSED
from streams.duty.notify.channels.config import PERSONAL, Channel, Channels
from streams.duty.notify.channels.message import Recipient
from streams.duty.notify.dispatch import NOBODY, Batch, Open, PendingNotification, Plan, Silence, meant_for
from streams.duty.notify.links import make_link
from streams.duty.retry_policy import Dead, Delivered, Late, Outcome, Retry

PUSH = Actor(PLATFORM, Origin.PUSH.value)
MOST, FEW = 500, 100
"""So many notifications are looked at in a round: of a channel that gathers them, of one that takes each alone."""
LONGEST_WAIT = 24 * 3600.0
"""Seconds after which a notification is dead although there is no other way for it."""
CONSOLE = "console"
"""The channel that is the console itself: what goes there is there already."""
INSTEAD = "~"
"""Parts the keys of a notification and of the one that goes another way instead."""


@dataclass(frozen=True)
class ConsoleLinks:
    """What links into the console are made of: its address, and the key acknowledge links are signed with."""

    base: str
    key: str

    @property
    def list(self) -> str:
        """A link to the officer's cases."""
        return f"{self.base}/cases"

    def of(self, case_id: int, officer_id: int | None, now: datetime) -> str:
        """A link by which this officer takes the case; without an officer one to look at it."""
        if officer_id is None or not self.key:
            return f"{self.base}/cases/{case_id}"
        return make_link(self.base, self.key, str(case_id), str(officer_id), now.timestamp())


def _pending() -> sa.Select[Any]:
    """Notifications that wait with what is to be known of them, the most urgent first."""
    return (
        sa.select(
            Notification,
            Officer,
            heard_before(),
            of_round(Case),
            Case.waiting_since,
            Case.recovered,
            Case.role,
            Case.region,
        )
        .join(Case, Case.id == Notification.case_id)
        .outerjoin(Officer, Officer.id == Notification.officer_id)
        .where(Notification.state == PENDING)
        .order_by(Notification.rank, Notification.id)
    )


@dataclass
class Looked:
    """Notifications as they were read, and those that cannot be read, with the error."""

    notifications: list[PendingNotification] = field(default_factory=list)
    broken: dict[int, Exception] = field(default_factory=dict)


def waiting(
    session: Session,
    regions: Regions,
    now: datetime,
    room: Mapping[str, int],
    declared: Mapping[str, Channel],
) -> Looked:
    """Notifications whose time has come in channels with room, those of one message all together.

    `room` says of a channel the highest rank it takes now. Each channel is asked for itself: one that is away
    with thousands before it hides no other's. What names no declared channel comes too, to be told so.
    """
    due = _pending().where(Notification.next_attempt <= now)
    looked = Looked()
    _look(session, due.where(Notification.channel.not_in(declared)).limit(MOST), regions, looked)
    for name, rank in room.items():
        most, here = MOST if declared[name].group else FEW, len(looked.notifications)
        _look(session, due.where(*_of(name), Notification.rank <= rank).limit(most), regions, looked)
        messages = {
            notification.message for notification in looked.notifications[here:] if notification.message
        }
        if messages:  # with the others of their messages: a message must not be cut in two
            known = {notification.id for notification in looked.notifications[here:]}
            others = _pending().where(*_of(name), Notification.message.in_(messages))
            _look(session, others, regions, looked, without=known)
    return looked


def _look(
    session: Session,
    query: sa.Select[Any],
    regions: Regions,
    looked: Looked,
    without: Collection[int] = (),
) -> None:
    """Read notifications; where one of them cannot even be fetched, each by itself."""
    try:
        rows = list(session.execute(query))
    except Exception as error:
        if fault_of(error) not in (Fault.value, Fault.item):
            raise
        rows = _one_by_one(session, query, looked)
    for row in rows:
        if row[0].id in without or row[0].id in looked.broken:
            continue
        try:
            looked.notifications.append(_notification(*row, regions=regions))
        except Exception as error:
            looked.broken[row[0].id] = error


def _one_by_one(session: Session, query: sa.Select[Any], looked: Looked) -> list[Any]:
    rows: list[Any] = []
    for id in session.scalars(query.with_only_columns(Notification.id)).all():
        try:
            rows += session.execute(_pending().where(Notification.id == id))
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
            looked.broken[id] = error
    return rows


def lay_aside(session: Session, ids: Sequence[int], reason: str) -> None:
    """These can never be told: they are dead with the reason."""
    _change(session, ids, state=DEAD, last_error=reason)


def _of(channel: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (Notification.channel == channel,)


def too_late(session: Session, regions: Regions, channel: str, oldest: Mapping[str, datetime]) -> Looked:
    """Notifications of a channel that takes nothing now, written before their level's moment."""
    before = sa.or_(
        *(
            sa.and_(Notification.level == level, Notification.created < moment)
            for level, moment in oldest.items()
        )
    )
    looked = Looked()
    _look(session, _pending().where(*_of(channel), before).limit(MOST), regions, looked)
    return looked


def newest(session: Session) -> int:
    """The number of the latest notification."""
    return session.scalar(sa.select(sa.func.max(Notification.id))) or 0


def _notification(
    row: Notification,
    officer: Officer | None,
    heard: bool,
    asked_now: bool,
    waiting_since: datetime | None,
    recovered: datetime | None,
    role: str,
    region: str,
    *,
    regions: Regions,
) -> PendingNotification:
    said: dict[str, Any] = json.loads(row.payload)
    if row.level not in LEVELS:
        raise ValueError(f"level {row.level!r} is none of {', '.join(LEVELS)}")
    place = regions.get(region)
    said["region_name"] = place.name if place else region
    return PendingNotification(
        id=row.id,
        key=row.key,
        channel=row.channel,
        kind=row.kind,
        level=row.level,
        rank=row.rank,
        created=row.created.timestamp(),
        next_attempt=row.next_attempt.timestamp(),
        attempts=row.attempts,
        message=row.message,
        case_id=row.case_id,
        case=said,
        to=NOBODY
        if officer is None
        else Recipient(officer.login, officer.name, officer.phone, officer.email),
        officer_id=row.officer_id,
        waits=waiting_since is not None,
        asked_anew=not asked_now,
        over=recovered is not None,
        heard=heard or INSTEAD in row.key,  # what goes another way was told by the first one
        unfit=unfit(officer, role, region, regions) if officer is not None else None,
    )


def open_cases(session: Session, levels: Iterable[str]) -> list[Open]:
    """Open cases of these levels, which may silence others."""
    query = sa.select(Case.id, Case.level, Case.rule, Case.region, Case.subject, Case.timeline).where(
        Case.state != CLOSED, Case.recovered.is_(None), Case.level.in_(tuple(levels))
    )
    return [Open(*row) for row in session.execute(query)]


def silences(session: Session, now: datetime, unread: Callable[[int, Exception], None]) -> list[Silence]:
    """The silences that hold now; one that cannot be read holds nothing back, and is given to `unread`."""
    query = sa.select(SilenceRow).where(
        SilenceRow.starts <= now, SilenceRow.ends > now, SilenceRow.ended.is_(None)
    )
    found = []
    for row in session.scalars(query):
        try:
            found.append(_silence(row))
        except (ValueError, TypeError) as error:
            unread(row.id, error)
    return found


def _silence(row: SilenceRow) -> Silence:
    rules, regions, levels = (tuple(json.loads(each)) for each in (row.rules, row.regions, row.levels))
    return Silence(row.id, row.starts.timestamp(), row.ends.timestamp(), row.reason, rules, regions, levels)


def recently_sent(session: Session, channels: Mapping[str, Channel], now: datetime) -> dict[str, list[float]]:
    """When messages went out by channel within its quota's time: a start anew does not forget them."""
    found: dict[str, list[float]] = {}
    for name, channel in channels.items():
        since = now - timedelta(seconds=channel.per)
        query = (
            sa.select(sa.func.max(Notification.last_attempt))
            .where(Notification.channel == name, Notification.last_attempt > since)
            .group_by(Notification.message)
        )
        moments = [row[0] for row in session.execute(query)]
        found[name] = [_aware(moment).timestamp() for moment in moments if moment is not None]
    return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def suppress(session: Session, decided: Plan) -> None:
    """What a plan drops is never sent, and why; what holds it back for now is named, to be looked at again."""
    for notification, why in decided.dropped:
        holder = decided.held.get(notification.id)
        _change(
            session,
            [notification.id],
            state=SUPPRESSED,
            last_error=str(why),
            reason=json.dumps(why.stored, ensure_ascii=False),
            last_attempt=None,
            held_by_silence=holder.id if isinstance(holder, Silence) else None,
            held_by_case=holder.id if isinstance(holder, Open) else None,
            held_by_level=holder.level if isinstance(holder, Open) else None,
        )


def begin(session: Session, batches: Sequence[Batch], now: datetime) -> None:
    """Before anything is sent: which message each belongs to. A copy after a crash has the same key."""
    rows = [
        {"id": notification.id, "message": batch.key, "last_attempt": now}
        for batch in batches
        for notification in batch.notifications
    ]
    if rows:
        session.execute(sa.update(Notification), rows)


def delivered(session: Session, batches: Sequence[Batch], now: datetime) -> None:
    """Write down in one go that these messages have arrived."""
    ids = [notification.id for batch in batches for notification in batch.notifications]
    attempts = Notification.attempts + 1
    _change(session, ids, state=DELIVERED, attempts=attempts, delivered_at=now, last_error="")


def record_outcome(
    session: Session, batch: Batch, outcome: Outcome | Late, channels: Channels, now: datetime
) -> dict[str | None, int]:
    """Write down what became of a message; how many of its notifications go by another channel (None: by none)."""
    ids = [notification.id for notification in batch.notifications]
    attempts = Notification.attempts + 1
    match outcome:
        case Delivered():
            delivered(session, [batch], now)
        case Retry(at, reason):
            later = datetime.fromtimestamp(at, UTC)
            _change(session, ids, attempts=attempts, next_attempt=later, last_error=reason)
        case Late(at, reason):
            ways = [
                (notification, other_channel(notification, channels.channels))
                for notification in batch.notifications
            ]
            stays = [
                notification.id for notification, way in ways if way is None and not _over(notification, now)
            ]
            later = datetime.fromtimestamp(at, UTC)
            _change(session, stays, attempts=attempts, next_attempt=later, last_error=reason)
            return bury(
                session, [each for each in batch.notifications if each.id not in stays], reason, channels, now
            )
        case Dead(reason):
            return bury(session, batch.notifications, reason, channels, now)
    return {}


def _over(notification: PendingNotification, now: datetime) -> bool:
    """Whether nobody would want to hear of it any more."""
    return now.timestamp() > notification.created + LONGEST_WAIT


def bury(
    session: Session,
    notifications: Sequence[PendingNotification],
    reason: str,
    channels: Channels,
    now: datetime,
    *,
    tried: bool = True,
) -> dict[str | None, int]:
    """These are dead here; how many go another way, by its name (None: nowhere)."""
    attempts = Notification.attempts + int(tried)
    _change(
        session,
        [notification.id for notification in notifications],
        state=DEAD,
        attempts=attempts,
        last_error=reason,
    )
    return Counter(
        _go_another_way(session, notification, reason, channels, now) for notification in notifications
    )


def _change(session: Session, ids: Sequence[int], **values: Any) -> None:
    session.execute(sa.update(Notification).where(Notification.id.in_(ids)).values(**values))


def other_channel(notification: PendingNotification, channels: Mapping[str, Channel]) -> str | None:
    """The channel for a notification that is dead here: the declared one, else the first that reaches him."""
    tried = {
        notification.channel,
        *notification.key.split(INSTEAD)[1:],
        notification.key.split(INSTEAD)[0].rpartition("/")[2],
    }
    declared = channels[notification.channel].instead if notification.channel in channels else ""
    for name in (declared, *channels):
        if name and name not in tried and _reaches(channels[name], notification):
            return name
    return None


def _reaches(channel: Channel, notification: PendingNotification) -> bool:
    needed = PERSONAL.get(channel.kind)
    return (not needed or bool(getattr(notification.to, needed))) and meant_for(channel, notification)


def _go_another_way(
    session: Session, notification: PendingNotification, reason: str, channels: Channels, now: datetime
) -> str | None:
    """Leave the same notification for another channel, and say so in the case; its name, None: there is none."""
    case = session.get_one(Case, notification.case_id)
    name = other_channel(notification, channels.channels)
    detail = {
        "channel": notification.channel,
        "reason": reason,
        "instead": name,
        "to": notification.to.login or None,
    }
    record(session, case, "undelivered", PUSH, now, detail=detail)
    if name is None:
        return None
    row = session.get_one(Notification, notification.id)
    session.add(
        Notification(
            key=f"{row.key}{INSTEAD}{name}",
            channel=name,
            officer_id=row.officer_id,
            case_id=row.case_id,
            kind=row.kind,
            step=row.step,
            level=row.level,
            rank=row.rank,
            payload=row.payload,
            created=now,
            next_attempt=now,
        )
    )
    return name


def counts(session: Session) -> dict[str, int]:
    """Number of notifications in each state."""
    query = sa.select(Notification.state, sa.func.count()).group_by(Notification.state)
    found = {state: int(number) for state, number in session.execute(query)}
    return {state: found.get(state, 0) for state in (PENDING, DELIVERED, DEAD, SUPPRESSED)}
