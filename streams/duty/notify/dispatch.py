"""What goes out now, to whom and together with what: pure, over the notifications that wait.

Red before blue, of one level the oldest first, each channel for itself. Notifications of one rule for the same
reader that wait at the same time become one message (one for forty counties of one typhoon); once tried, a message
stays what it was, so a copy has the same key and says the same. What is silenced or inhibited goes nowhere and
says why. A part of each quota is kept for red.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from schemas.fields import SHANGHAI
from streams.duty.cases.escalation import REBUILT
from streams.duty.cases.told import ENDED
from streams.duty.notify.channels.config import Channel, Channels, Inhibition
from streams.duty.notify.channels.message import LEVEL_ZH, Message, Recipient
from streams.duty.notify.channels.quota import reserved, room
from streams.duty.reasons import Reason, Why
from streams.duty.retry_policy import FIRST_WAIT
from streams.duty.words import one_line

RED = "red"
STILL_OPEN = "still_open"
"""What kept a message back is over, and its case still waits."""
ASKING = frozenset({"assigned", "escalated", "last_resort", STILL_OPEN, REBUILT})
"""Kinds that ask somebody to take a case; once it is taken nobody has to be woken for it."""
MOST_AGE = {"red": 300.0, "orange": 900.0, "yellow": 3600.0, "blue": 6 * 3600.0}
"""Seconds after which a notification that could not be delivered is dead and goes another way."""


OVER = Reason(Why.OVER)
NOBODY = Recipient()


@dataclass(frozen=True)
class PendingNotification:
    """One notification that waits. `message` names the message it was first tried in, empty before that.

    Times are seconds since 1970. `case` holds region, rule, subject, episode, title, runbook and the like; `waits`
    says whether the case waits for somebody, `asked_anew` whether it began to wait again since this one was
    written, `over` whether its warning is over, `heard` whether its officer may have been told of the case by this
    channel before, `unfit` why he is told no more (account ended, role taken).
    """

    id: int
    key: str
    channel: str
    kind: str
    level: str
    rank: int
    created: float
    next_attempt: float
    attempts: int
    message: str
    case_id: int
    case: Mapping[str, Any]
    to: Recipient = NOBODY
    officer_id: int | None = None
    waits: bool = True
    asked_anew: bool = False
    over: bool = False
    heard: bool = True
    unfit: Reason | None = None


@dataclass(frozen=True)
class Open:
    """An open case, as far as it can silence others."""

    id: int
    level: str
    rule: str
    region: str
    subject: str
    timeline: str = ""


@dataclass(frozen=True)
class Silence:
    """A time in which notifications of these rules, regions (and all below) and levels are not sent."""

    id: int
    starts: float
    ends: float
    reason: str
    rules: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()

    def covers(self, notification: PendingNotification, now: float) -> bool:
        """Whether it holds for a notification now. A region's code begins with the digits of the one above."""
        region = str(notification.case.get("region") or "")
        return (
            self.starts <= now < self.ends
            and (not self.rules or notification.case.get("rule") in self.rules)
            and (not self.levels or notification.level in self.levels)
            and (not self.regions or any(_within(region, each) for each in self.regions))
        )


@dataclass(frozen=True)
class Batch:
    """One message to be sent: its key, and the notifications it carries (one or more)."""

    key: str
    channel: str
    notifications: tuple[PendingNotification, ...]

    @property
    def rank(self) -> int:
        """The most urgent of its notifications."""
        return min(notification.rank for notification in self.notifications)


@dataclass(frozen=True)
class Plan:
    """What is decided now: batches in the order they go, notifications that go nowhere with the reason.

    `held`: what holds some of them back for now, by their id; once that is over they are looked at again.
    """

    batches: tuple[Batch, ...] = ()
    dropped: tuple[tuple[PendingNotification, Reason], ...] = ()
    held: Mapping[int, Silence | Open] = field(default_factory=dict)


@dataclass(frozen=True)
class DispatchContext:
    """What the decision depends on beside the notifications."""

    channels: Channels
    open: Sequence[Open] = ()
    silences: Sequence[Silence] = ()
    sent: Mapping[str, Sequence[float]] = field(default_factory=dict)
    busy: Collection[str] = ()
    slots: Mapping[str, int] = field(default_factory=dict)


def plan(notifications: Iterable[PendingNotification], context: DispatchContext, now: float) -> Plan:
    """What goes out at `now`. `context.busy` are keys of messages under way; `context.slots` room by channel."""
    dropped, waiting, held = [], [], {}
    for notification in notifications:
        if notification.message in context.busy:  # it is under way: what it comes to is written down first
            continue
        why, holder = not_told(notification, context, now)
        if holder is not None:
            held[notification.id] = holder
        if why:
            dropped.append((notification, why))
        else:
            waiting.append(notification)
    batches = sorted(_batches(waiting, context, now), key=lambda batch: (batch.rank, _oldest(batch)))
    return Plan(tuple(_admitted(batches, context, now)), tuple(dropped), held)


def not_told(
    notification: PendingNotification, context: DispatchContext, now: float
) -> tuple[Reason | None, Silence | Open | None]:
    """Why a notification is not sent (any more), None where it is; and what holds it back, where that is all."""
    if why := reason_not_to(notification, context):
        return why, None
    if notification.kind == ENDED or notification.attempts or notification.message:
        return None, None
    holder = held_by(notification, context, now)
    return reason_of(holder), holder


def reason_not_to(notification: PendingNotification, context: DispatchContext) -> Reason | None:
    """Why a notification goes nowhere for good; None where it goes, or is only held back.

    Before each try: whether its officer is to be told still, and whether there is something to be told. Nothing
    else holds back what was tried once, as it may have arrived. An end is never held back: who was told of a
    warning is told that it is over.
    """
    if notification.unfit:
        return notification.unfit
    if notification.kind in ASKING and not notification.waits:
        return OVER if notification.over else Reason(Why.TAKEN)
    if notification.kind in ASKING and notification.asked_anew:
        return Reason(Why.ASKED_ANEW)
    if notification.kind == "raised" and notification.over:
        return OVER
    if notification.kind == ENDED:
        return None if notification.heard or notification.message else Reason(Why.BEGINNING_UNTOLD)
    if notification.attempts or notification.message:
        return None
    channel = context.channels.channels.get(notification.channel)
    if channel is not None and not meant_for(channel, notification):
        return Reason(Why.FOR_OTHERS, {"channel": channel.name})
    return None


def reason_of(holder: Silence | Open | None) -> Reason | None:
    """What holds a notification back; None where nothing does."""
    if isinstance(holder, Silence):
        return Reason(Why.SILENCE, {"id": holder.id, "text": holder.reason})
    return Reason(Why.GRAVER_CASE, {"id": holder.id, "level": holder.level}) if holder else None


def held_by(notification: PendingNotification, context: DispatchContext, now: float) -> Silence | Open | None:
    """The silence, or the graver open case, that holds a notification back for now; None where nothing does."""
    for silence in context.silences:
        if silence.covers(notification, now):
            return silence
    for rule in context.channels.inhibitions:
        source = next((each for each in context.open if _inhibits(rule, each, notification)), None)
        if source is not None:
            return source
    return None


def meant_for(channel: Channel, notification: PendingNotification) -> bool:
    """Whether a channel is for the region and the role of a notification; one that names none is for all."""
    region, role = str(notification.case.get("region") or ""), str(notification.case.get("duty_role") or "")
    here = not channel.regions or any(_within(region, each) for each in channel.regions)
    return here and (not channel.roles or role in channel.roles)


def _inhibits(rule: Inhibition, source: Open, notification: PendingNotification) -> bool:
    if (
        source.level not in rule.source
        or notification.level not in rule.target
        or source.id == notification.case_id
    ):
        return False
    if source.timeline != (notification.case.get("timeline") or ""):  # a drill holds back nothing real
        return False
    theirs = {"rule": source.rule, "region": source.region, "subject": source.subject}
    theirs["domain"] = source.rule.partition(".")[0]
    ours = {name: str(notification.case.get(name) or "") for name in ("rule", "region", "subject")}
    ours["domain"] = ours["rule"].partition(".")[0]
    return all(theirs[name] == ours[name] for name in rule.equal)


def _within(region: str, above: str) -> bool:
    digits = 2 if above.endswith("0000") else 4 if above.endswith("00") else 6
    return region[:digits] == above[:digits]


def _batches(waiting: Iterable[PendingNotification], context: DispatchContext, now: float) -> list[Batch]:
    """Messages tried before as they were, then new ones whose gathering is over."""
    tried: dict[tuple[str, str], list[PendingNotification]] = {}
    fresh: dict[tuple[Any, ...], list[PendingNotification]] = {}
    for notification in waiting:
        if notification.message:
            tried.setdefault((notification.channel, notification.message), []).append(notification)
        else:
            fresh.setdefault(
                _group(notification, context.channels.channels.get(notification.channel)), []
            ).append(notification)
    found = [
        Batch(key, channel, tuple(members))
        for (channel, key), members in tried.items()
        if key not in context.busy and min(member.next_attempt for member in members) <= now
    ]
    for members in fresh.values():
        due = min(member.created + _gathers(member, context.channels) for member in members)
        if due <= now:
            ordered = tuple(sorted(members, key=lambda member: (member.rank, member.created, member.id)))
            found.append(Batch(message_key(ordered), ordered[0].channel, ordered))
    return found


def _gathers(notification: PendingNotification, channels: Channels) -> float:
    """Seconds a notification waits for others: none where its channel takes each for itself."""
    channel = channels.channels.get(notification.channel)
    return channels.gather[notification.level] if channel is None or channel.group else 0.0


def _group(notification: PendingNotification, channel: Channel | None) -> tuple[Any, ...]:
    """Notices with the same answer share a message; those of a replay are never among real ones."""
    if channel is None or not channel.group:
        return (notification.id,)
    timeline = notification.case.get("timeline") or ""
    return (
        notification.channel,
        notification.to.login,
        notification.case.get("rule"),
        notification.kind,
        timeline,
    )


def message_key(notifications: Sequence[PendingNotification]) -> str:
    """The key of a message: that of its only notification, or a digest of all of theirs."""
    if len(notifications) == 1:
        return notifications[0].key
    digest = blake2b("\n".join(notification.key for notification in notifications).encode(), digest_size=16)
    return f"group-{digest.hexdigest()}"


def _oldest(batch: Batch) -> float:
    return min(notification.created for notification in batch.notifications)


def _admitted(batches: Sequence[Batch], context: DispatchContext, now: float) -> list[Batch]:
    """As many batches as each channel has room for; what is kept for red only red may use."""
    left: dict[str, int] = {}
    admitted: list[Batch] = []
    for batch in batches:
        channel = context.channels.channels.get(batch.channel)
        if batch.channel not in left:
            quota, per = (channel.quota, channel.per) if channel else (0, 60.0)
            left[batch.channel] = room(context.sent.get(batch.channel, ()), quota, per, now)
        slots = context.slots.get(batch.channel, 1)
        kept = reserved(channel.quota) if channel and batch.rank > 0 else 0
        taken = sum(1 for each in admitted if each.channel == batch.channel)
        if taken < slots and left[batch.channel] > kept:
            left[batch.channel] -= 1
            admitted.append(batch)
    return admitted


def message_of(batch: Batch, url: str = "") -> Message:
    """What the batch says: one case in full, or the list of them under what they share; `url` leads there."""
    first = batch.notifications[0]
    return _one(batch, first, url) if len(batch.notifications) == 1 else _many(batch, first, url)


def _one(batch: Batch, notification: PendingNotification, url: str) -> Message:
    case = notification.case
    said = [f"{name}：{_said(key, case[key])}" for name, key in _LINES if case.get(key) not in (None, "")]
    return Message(
        key=batch.key,
        level=notification.level,
        title=_words(notification, str(case.get("title") or case.get("rule"))),
        lines=tuple(said),
        url=url,
        at=datetime.fromtimestamp(notification.created, UTC),
        to=notification.to,
        labels=_labels(notification),
        runbook=str(case.get("runbook") or ""),
        ended=notification.kind == ENDED,
    )


_LINES = (
    ("地区", "region_name"),
    ("对象", "subject"),
    ("发生", "at"),
    ("数值", "value"),
    ("阈值", "threshold"),
    ("处置", "runbook"),
)
_KINDS = {
    **{"escalated": "升级", "last_resort": "升级", "overdue": "超时", "raised": "升高", ENDED: "结束"},
    **{STILL_OPEN: "仍未签收", REBUILT: "记录重建，仍未结束", "handed": "移交"},
}


def _said(key: str, value: Any) -> str:
    """A field in words: times of Shanghai, numbers without their binary tail."""
    if key == "at":
        return f"{datetime.fromisoformat(str(value)).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return one_line(value)


def _words(notification: PendingNotification, title: str) -> str:
    """The title with what kind of message it is; what comes of a replay says so first."""
    said = ("回放" if notification.case.get("timeline") else "", _KINDS.get(notification.kind, ""))
    return "".join(f"（{each}）" for each in said if each) + one_line(title)


def _labels(notification: PendingNotification) -> dict[str, str]:
    names = ("rule", "region", "subject", "episode", "timeline")
    return {name: str(notification.case[name]) for name in names if notification.case.get(name)}


def _many(batch: Batch, first: PendingNotification, url: str) -> Message:
    """The list, the most urgent first, each with its place; counts by level in the title."""
    counts: dict[str, int] = {}
    for notification in batch.notifications:
        counts[notification.level] = counts.get(notification.level, 0) + 1
    said = "、".join(f"{LEVEL_ZH[level]} {number}" for level, number in counts.items())
    places = tuple(
        " ".join(
            one_line(part)
            for part in (
                f"[{LEVEL_ZH[notification.level]}]",
                notification.case.get("region_name") or notification.case.get("region"),
                notification.case.get("subject"),
            )
            if part
        )
        for notification in batch.notifications
    )
    single = _one(batch, first, url)
    title = f"{single.title}：{len(batch.notifications)} 起（{said}）"
    labels = {name: said for name, said in single.labels.items() if name in ("rule", "timeline")}
    return replace(single, title=title, lines=places, labels=labels)


def dead_at(notification: PendingNotification) -> float:
    """When a notification that cannot be delivered is given up here, for another way."""
    return notification.created + MOST_AGE[notification.level]


def gone(notifications: Sequence[PendingNotification], at: float) -> bool:
    """Whether a next try at `at` would come too late for all of these."""
    return all(at + FIRST_WAIT > dead_at(notification) for notification in notifications)
