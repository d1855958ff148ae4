"""WeCom (企业微信): the robot of a group, `POST /cgi-bin/webhook/send?key=`.

It answers 200 always: errcode 45009 sent too often (20 a minute), 93000 no such key, 40058 too long or ill formed.
Source: WeCom developer centre, message push of group robots.
"""

from __future__ import annotations

from streams.duty.notify.channels.message import Message, fitted
from streams.duty.notify.channels.wire import Request, Response, coded, post_json, with_query
from streams.duty.retry_policy import Answer

LIMIT = 4_096
"""Bytes of the content of a Markdown message."""
COLOURS = {"red": "warning", "orange": "warning", "yellow": "comment", "blue": "info"}
BUSY = frozenset({"-1", "45009", "45033", "6000"})


def request(url: str, key: str, message: Message) -> Request:
    """The message to a group's robot."""
    head = f'### <font color="{COLOURS[message.level]}">{message.headline}</font>'
    lines = [f"> {line}" for line in message.lines]
    link = f"[查看并签收]({message.url})" if message.url else ""
    data = {"msgtype": "markdown", "markdown": {"content": fitted(head, lines, link, LIMIT)}}
    return post_json(with_query(url, key=key), data)


def read(response: Response) -> Answer:
    """What the robot's answer means."""
    return coded(response, code="errcode", good="0", text="errmsg", again=BUSY, wait="60")
