"""A message to an officer: what it says, cut to what a channel takes. Pure.

It says what happened, where, how badly and what to do, and links to the rest. Evidence and personal data stay
inside: a push may be read on a lock screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

LEVEL_ZH = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
MORE = "……另有 {count} 条，请点开链接查看"
CUT = "…"


@dataclass(frozen=True)
class Recipient:
    """Whom a message is for; empty where a channel speaks to a group."""

    login: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True)
class Message:
    """What one push says. `key` is its idempotency key: a copy is known by it.

    `lines` are in order of importance; where a channel takes less, the last ones go first. `labels` name rule,
    region, subject, level and episode for machines; `ended` says that the warning is over.
    """

    key: str
    level: str
    title: str
    lines: tuple[str, ...]
    url: str
    at: datetime
    to: Recipient = Recipient()
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook: str = ""
    ended: bool = False

    @property
    def headline(self) -> str:
        """The level in words before the title: `[红色预警] …`."""
        return f"[{LEVEL_ZH[self.level]}预警] {self.title}"


def fitted(head: str, lines: Sequence[str], tail: str, limit: int, join: str = "\n") -> str:
    """Head, as many lines as fit, and tail, within `limit` bytes of UTF-8; what was left out is counted.

    Head and tail always stand there, the head cut where it must be: a link that is missing helps nobody.
    """
    for kept in range(len(lines), -1, -1):
        left = len(lines) - kept
        said = [head, *lines[:kept], *([MORE.format(count=left)] if left else []), tail]
        text = join.join(part for part in said if part)
        if len(text.encode()) <= limit:
            return text
    room = limit - len(f"{CUT}{join}{tail}".encode())
    return f"{cut(head, room)}{CUT}{join}{tail}" if tail else cut(head, limit)


def cut(text: str, limit: int) -> str:
    """The beginning of a text within `limit` bytes of UTF-8, no character broken."""
    return text.encode()[: max(0, limit)].decode("utf-8", "ignore")
