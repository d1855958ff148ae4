"""The audit in the order in which it can be seen: who asks for what is new misses nothing that comes later.

PostgreSQL gives ids before the commit: an entry may come to be seen after one with a higher id. So who writes
there holds, from before his first id until all see his entries, a shared advisory lock whose number tells which
ids are below all of them; nobody waits for it. On SQLite there is one writer at a time, and nothing to be done.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

_BASE = 6_174 << 48
_ANNOUNCE = sa.text(
    "SELECT pg_advisory_xact_lock_shared(:base + last_value - CASE WHEN is_called THEN 0 ELSE 1 END)"
    " FROM entry_id_seq"
)
_NEWEST = sa.text("SELECT max(id) FROM entry")
_UNDER_WAY = sa.text(
    "SELECT min(below) FROM (SELECT ((classid::bigint << 32) | objid::bigint) - :base AS below FROM pg_locks"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held"
    " WHERE below BETWEEN 0 AND (1::bigint << 48) - 1"
)


def announce(session: Session) -> None:
    """Tell others that this transaction may write entries; to be called before it does."""
    if _is_postgresql(session):
        session.execute(_ANNOUNCE, {"base": _BASE})


def visible_up_to(session: Session) -> int:
    """The id up to which the next question of this session sees all entries there will ever be.

    The order of the two questions counts: whose entry is below the newest one at the first of them either holds
    his lock at the second, or has committed by then.
    """
    newest = session.scalar(_NEWEST) or 0
    below = session.scalar(_UNDER_WAY, {"base": _BASE}) if _is_postgresql(session) else None
    return newest if below is None else min(newest, below)


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
