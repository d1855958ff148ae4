"""Holes in the roster as warnings, in advance: each is an episode on the topic `warnings`, and a case at once.

`uncovered` is orange, and red within a day of its beginning; `unmanned` and `stand_in` are yellow, since somebody
answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.contract import FEEDS
from schemas.event import encode_event
from schemas.fields import SHANGHAI, midnight
from schemas.topics import WARNING_TYPE, WARNINGS
from streams.duty.accounts.rights import PLATFORM, Actor, Origin
from streams.duty.cases.known_rules import RULE
from streams.duty.cases.opening import hear
from streams.duty.database.models import Hole, Message
from streams.duty.inbox.read import warning_decoder
from streams.duty.reasons import KEY, Reason
from streams.duty.rosters.desk import Desk, plan_of
from streams.duty.rosters.who import KINDS, Gap, gaps

ROLE = "duty-desk"
SOURCE = "/liaowang/duty"
SOON = timedelta(days=1)
ROSTER = Actor(PLATFORM, Origin.ROSTER_CHECK.value)
RUNBOOK = "补齐值班表：改 roster.yaml，或用 override / swap 安排人员；再用 liaowang duty holes 核对。"


def holes(session: Session, desk: Desk, roles: Collection[str], now: datetime, days: int) -> tuple[Gap, ...]:
    """The holes from today's midnight (Shanghai) for so many days; those that are over are left out."""
    start = midnight(now.astimezone(SHANGHAI).date())
    plan = plan_of(session, desk, start)
    return tuple(gap for gap in gaps(plan, roles, start, start + timedelta(days=days)) if gap.ends > now)


def level_of(gap: Gap, now: datetime) -> str:
    """How grave a hole is now."""
    if gap.kind != "uncovered":
        return "yellow"
    return "red" if gap.starts - now <= SOON else "orange"


Change = tuple[str, Callable[[Session], None]]
"""One hole to be opened, changed or ended: what it is, and how it is written down."""


class Holes:
    """Warns of holes; made once, since it compiles the contract of warnings."""

    def __init__(self, feeds: Path = FEEDS) -> None:
        self._decoder = warning_decoder(feeds)

    def warn(self, session: Session, desk: Desk, roles: Collection[str], now: datetime) -> int:
        """Open, raise and end the warnings of holes as they are now; returns how many are open."""
        number, changes = self.changes(session, desk, roles, now)
        for _, change in changes:
            change(session)
        return number

    def changes(
        self, session: Session, desk: Desk, roles: Collection[str], now: datetime
    ) -> tuple[int, list[Change]]:
        """How many holes there are, and what is to be written down of them, each for itself."""
        known = list(session.scalars(sa.select(Hole).where(Hole.filled.is_(None)).order_by(Hole.id)))
        found, changes = holes(session, desk, roles, now, desk.roster.look_ahead), list[Change]()
        for gap in found:
            what = f"hole {gap.kind}, {gap.role} in {gap.region} from {_local(gap.starts)}"
            same = next((hole for hole in known if _same(hole, gap)), None)
            if same is None:
                changes.append((what, partial(self._open, desk=desk, gap=gap, now=now)))
            else:
                known.remove(same)
                changes.append((what, partial(self._go_on, id=same.id, desk=desk, gap=gap, now=now)))
        changes += [(f"hole {hole.id}", partial(self._end, id=hole.id, desk=desk, now=now)) for hole in known]
        return len(found), changes

    def _open(self, session: Session, *, desk: Desk, gap: Gap, now: datetime) -> None:
        self._say(session, desk, _new(session, gap, now), "opened", now, why=gap.why)

    def _go_on(self, session: Session, *, id: int, desk: Desk, gap: Gap, now: datetime) -> None:
        hole = session.get_one(Hole, id)
        hole.starts, hole.ends = min(hole.starts, gap.starts), gap.ends
        level = level_of(gap, now)
        if level != hole.level:
            before, hole.level, hole.ordinal = hole.level, level, hole.ordinal + 1
            self._say(session, desk, hole, "raised" if level == "red" else "lowered", now, before, gap.why)

    def _end(self, session: Session, *, id: int, desk: Desk, now: datetime) -> None:
        hole = session.get_one(Hole, id)
        hole.filled, hole.ordinal = now, hole.ordinal + 1
        self._say(session, desk, hole, "recovered", now, hole.level)

    def _say(
        self,
        session: Session,
        desk: Desk,
        hole: Hole,
        kind: str,
        now: datetime,
        before: str = "",
        why: Reason | None = None,
    ) -> None:
        raw = _encode(hole, kind, now, before, why)
        event = self._decoder.decode(raw)
        session.add(Message(uid=event.id, topic=WARNINGS, key=event.data.subject, payload=raw, created=now))
        hear(session, desk, now, [event], ROSTER)
        session.flush()


def _same(hole: Hole, gap: Gap) -> bool:
    alike = (hole.kind, hole.role, hole.region) == (gap.kind, gap.role, gap.region)
    return alike and hole.starts <= gap.ends and gap.starts <= hole.ends


def _new(session: Session, gap: Gap, now: datetime) -> Hole:
    subject = f"{gap.kind}|{gap.role}|{gap.region}"
    episode = f"{RULE}/{subject}/{gap.starts.isoformat()}/{now.isoformat()}"
    hole = Hole(
        episode=episode,
        kind=gap.kind,
        role=gap.role,
        region=gap.region,
        starts=gap.starts,
        ends=gap.ends,
        level=level_of(gap, now),
        ordinal=0,
        found=now,
    )
    session.add(hole)
    return hole


def _encode(hole: Hole, kind: str, now: datetime, before: str, why: Reason | None) -> bytes:
    span = f"{_local(hole.starts)} – {_local(hole.ends)}"
    evidence: dict[str, Any] = {
        "kind": hole.kind,
        "starts": hole.starts.isoformat(),
        "ends": hole.ends.isoformat(),
        "why": str(why) if why else "",
    }
    if why:
        evidence[KEY] = why.stored
    data: dict[str, Any] = {
        "rule": RULE,
        "rule_version": 1,
        "subject": f"{hole.kind}|{hole.role}|{hole.region}",
        "region": hole.region,
        "kind": kind,
        "level": hole.level,
        "previous": before or None,
        "episode": hole.episode,
        "ordinal": hole.ordinal,
        "at": now.isoformat(),
        "value": None,
        "threshold": None,
        "evidence": json.dumps(evidence, ensure_ascii=False),
        "title": f"值班空缺 {hole.role} {hole.region} {span}",
        "runbook": RUNBOOK,
        "duty_role": ROLE,
    }
    return encode_event(
        id=f"{hole.episode}#{hole.ordinal}", source=SOURCE, type=WARNING_TYPE, time=now, data=data
    )


def _local(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def gap_view(gap: Gap, now: datetime) -> dict[str, Any]:
    """A hole as JSON values, times of Shanghai."""
    return {
        "kind": gap.kind,
        "meaning": KINDS[gap.kind],
        "role": gap.role,
        "region": gap.region,
        "starts": gap.starts.astimezone(SHANGHAI).isoformat(),
        "ends": gap.ends.astimezone(SHANGHAI).isoformat(),
        "level": level_of(gap, now),
        "why": str(gap.why),
        KEY: gap.why.stored,
    }


def views(found: Sequence[Gap], now: datetime) -> list[dict[str, Any]]:
    """Holes as JSON values."""
    return [gap_view(gap, now) for gap in found]
