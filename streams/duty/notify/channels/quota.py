"""How many messages a channel may still take: a sliding window over what was sent. Pure.

The window slides, because a robot counts so: twenty a minute at any time, not by the clock's minute.
"""

from __future__ import annotations

from collections.abc import Sequence


def room(sent: Sequence[float], quota: int, per: float, now: float) -> int:
    """How many more may go now, after what went at these times; quota 0 has no limit (a large number)."""
    if not quota:
        return 1 << 30
    return max(0, quota - sum(1 for at in sent if at > now - per))


def opens(sent: Sequence[float], quota: int, per: float, now: float) -> float:
    """When there is room again: now, or when the oldest that is in the way falls out of the window."""
    if room(sent, quota, per, now):
        return now
    inside = sorted(at for at in sent if at > now - per)
    return inside[len(inside) - quota] + per


def reserved(quota: int) -> int:
    """How much of a quota is kept for red: a fifth, at least one, where there are two or more.

    A red warning that comes while blue ones fill the minute would else wait for it to end.
    """
    return max(1, quota // 5) if quota >= 2 else 0
