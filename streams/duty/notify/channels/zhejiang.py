"""浙政钉 (Zhejiang's government DingTalk): work notifications by the dedicated DingTalk's open platform.

Each request is signed: X-Hmac-Auth-Signature = Base64(HMAC-SHA256(secret, METHOD, timestamp, nonce, path and the
sorted parameters, by lines)). `GET /gettoken.json`, `POST /mozi/employee/get_by_mobile` (phone to account), then
`POST /message/workNotification`. Answers carry `success` and `content`. Source: dedicated DingTalk open platform.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from streams.duty.notify.channels.message import Message, cut, fitted
from streams.duty.notify.channels.wire import REASON_LENGTH, Request, Response, plain
from streams.duty.retry_policy import Answer

LIMIT = 1_600
TITLE_LIMIT = 60
AREA = "86"


def signature(secret: str, method: str, timestamp: str, nonce: str, path: str, query: str) -> str:
    """The signature over a request's parts, Base64; `query` are the sorted parameters, not encoded."""
    said = "\n".join([method, timestamp, nonce, path, *([query] if query else [])])
    return b64encode(hmac.new(secret.encode(), said.encode(), "sha256").digest()).decode()


def signed(
    method: str, url: str, parameters: Mapping[str, str], key: str, secret: str, now: float, nonce: str
) -> Request:
    """A signed request; the parameters stand in the query of a GET and in the form of a POST."""
    timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
    sorted_query = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    headers = {
        "X-Hmac-Auth-Timestamp": timestamp,
        "X-Hmac-Auth-Version": "1.0",
        "X-Hmac-Auth-Nonce": nonce,
        "apiKey": key,
        "X-Hmac-Auth-Signature": signature(
            secret, method, timestamp, nonce, urlsplit(url).path, sorted_query
        ),
    }
    encoded = urlencode(sorted(parameters.items()), quote_via=quote)
    if method == "GET":
        return Request("GET", f"{url}?{encoded}" if encoded else url, headers)
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return Request("POST", url, headers | form, encoded.encode())


def token_parameters(key: str, secret: str) -> dict[str, str]:
    """What is asked for an access token with."""
    return {"appkey": key, "appsecret": secret}


def person_parameters(token: str, tenant: str, phone: str) -> dict[str, str]:
    """What is asked for the account of a phone number with."""
    return {
        "access_token": token,
        "tenantId": tenant,
        "areaCode": AREA,
        "namespace": "local",
        "mobile": phone,
    }


def work_parameters(token: str, tenant: str, account: str, message: Message) -> dict[str, str]:
    """The work notification to one account; `bizMsgId` is the key by which a copy is known."""
    text = fitted(
        f"### {message.headline}", [f"- {line}" for line in message.lines], message.url, LIMIT, join="\n\n"
    )
    said = {
        "msgtype": "action_card",
        "action_card": {
            "title": cut(message.headline, TITLE_LIMIT),
            "markdown": text,
            "single_title": "查看并签收",
            "single_url": message.url,
        },
    }
    return {
        "access_token": token,
        "tenantId": tenant,
        "receiverIds": account,
        "bizMsgId": message.key,
        "msg": json.dumps(said, ensure_ascii=False, separators=(",", ":")),
    }


def read(response: Response) -> Answer:
    """What an answer means: `success` on the outside and, where it is there, within `content`."""
    if not 200 <= response.status < 300:
        return plain(response)
    said = response.json()
    content = said.get("content")
    inner = content if isinstance(content, dict) else {}
    if said.get("success") is True and inner.get("success", True) is True:
        return Answer(response.status)
    code = str(inner.get("responseCode") or said.get("errorCode") or said.get("bizErrorCode") or "(none)")
    words = inner.get("responseMessage") or said.get("errorMsg") or response.text()
    reason = f"{code}: {words}"[:REASON_LENGTH]
    busy = any(word in code.lower() for word in ("limit", "busy", "flow"))
    return Answer(429, "1", reason, True) if busy else Answer(400, "", reason, True)
