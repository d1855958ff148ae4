r"""DingTalk: the robot of a group (custom robot, signed) and the work notification to one person.

Robot: `POST /robot/send?access_token=&timestamp=&sign=`, sign = Base64(HMAC-SHA256(secret, "<ms>\n<secret>")).
It answers 200 always; `errcode` says the rest: 130101 more than 20 a minute (closed for ten),
310000 signature, key word or address not allowed, 300001 no such token.
Work notification: `GET /gettoken`, `POST /topapi/v2/user/getbymobile`, then
`POST /topapi/message/corpconversation/asyncsend_v2`. Source: DingTalk open platform, server API.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode

from streams.duty.notify.channels.message import Message, cut, fitted
from streams.duty.notify.channels.wire import Request, Response, coded, post_json, with_query
from streams.duty.retry_policy import Answer

ROBOT_LIMIT = 18_000
"""Bytes of text; a robot's whole message may have 20,000."""
WORK_LIMIT = 1_900
"""Bytes of text of a work notification; the whole message may have 2,048."""
TITLE_LIMIT = 60
BUSY = frozenset({"-1", "130101", "410100", "88"})
"""System busy, sent too often, limit of the interface, flow control: it passes."""
CLOSED = "600"
"""Seconds for which a robot that was told too much takes nothing."""


def sign(secret: str, milliseconds: int) -> str:
    """The signature of a moment, Base64."""
    said = f"{milliseconds}\n{secret}".encode()
    return b64encode(hmac.new(secret.encode(), said, "sha256").digest()).decode()


def robot_request(url: str, token: str, secret: str, message: Message, now: float) -> Request:
    """The message to a group's robot; who is to read it is named by his phone."""
    milliseconds = int(now * 1000)
    query = {"access_token": token}
    if secret:
        query |= {"timestamp": str(milliseconds), "sign": sign(secret, milliseconds)}
    mention = f"@{message.to.phone}" if message.to.phone else ""
    data = {
        "msgtype": "markdown",
        "markdown": {"title": cut(message.headline, TITLE_LIMIT), "text": _markdown(message, mention)},
        "at": {"atMobiles": [message.to.phone] if message.to.phone else [], "isAtAll": False},
        "msgUuid": message.key,
    }
    return post_json(with_query(url, **query), data)


def robot_read(response: Response) -> Answer:
    """What the robot's answer means."""
    return coded(response, code="errcode", good="0", text="errmsg", again=BUSY, wait=CLOSED)


def token_request(base: str, app_key: str, app_secret: str) -> Request:
    """Ask for an access token; it holds for two hours."""
    return Request("GET", with_query(f"{base}/gettoken", appkey=app_key, appsecret=app_secret))


def person_request(base: str, token: str, phone: str) -> Request:
    """Ask for the user id of a phone number."""
    return post_json(with_query(f"{base}/topapi/v2/user/getbymobile", access_token=token), {"mobile": phone})


def work_request(base: str, token: str, agent: str, user: str, message: Message) -> Request:
    """The work notification to one person."""
    said = {
        "msgtype": "markdown",
        "markdown": {
            "title": cut(message.headline, TITLE_LIMIT),
            "text": _markdown(message, "", limit=WORK_LIMIT - 300),
        },
    }
    body = {"agent_id": agent, "userid_list": user, "msg": said}
    url = with_query(f"{base}/topapi/message/corpconversation/asyncsend_v2", access_token=token)
    return post_json(url, body)


def read(response: Response) -> Answer:
    """What an answer of the server API means."""
    return coded(response, code="errcode", good="0", text="errmsg", again=BUSY, wait="1")


def _markdown(message: Message, mention: str, limit: int = ROBOT_LIMIT) -> str:
    head = f"### {message.headline}"
    lines = [f"- {line}" for line in message.lines]
    link = f"[查看并签收]({message.url})" if message.url else ""
    return fitted(head, lines, "\n\n".join(part for part in (link, mention) if part), limit, join="\n\n")


def size(request: Request) -> int:
    """Bytes of the message in a work notification, as the service counts them."""
    return len(json.dumps(json.loads(request.body).get("msg"), ensure_ascii=False).encode())
