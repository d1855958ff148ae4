"""Alertmanager, both ways: alerts into one (`POST /api/v2/alerts`), and its webhook form to whoever reads that.

Sources: Prometheus Alertmanager, OpenAPI of version 2 and the webhook data format, version "4".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from streams.duty.notify.channels.message import Message
from streams.duty.notify.channels.wire import Request, post_json
from streams.duty.notify.signature import KEY_HEADER
from streams.duty.words import header_value

LASTS = timedelta(days=7)
"""An alert that nobody ends holds so long; Alertmanager's own five minutes would end it before the warning."""
NEVER = "0001-01-01T00:00:00Z"
SEVERITY = {"red": "critical", "orange": "error", "yellow": "warning", "blue": "info"}


def labels(message: Message) -> dict[str, str]:
    """What names the alert: the same for all its life, so that its end is known as its own.

    The level changes during an episode and therefore is an annotation.
    """
    return {"alertname": message.labels.get("rule", message.title), **dict(message.labels)}


def request(base: str, message: Message) -> Request:
    """The message as one alert for an Alertmanager."""
    ends = message.at if message.ended else message.at + LASTS
    alert = {
        "labels": labels(message),
        "annotations": _annotations(message),
        "startsAt": _moment(min(message.at, ends)),
        "endsAt": _moment(ends),
        "generatorURL": message.url,
    }
    return post_json(f"{base}/api/v2/alerts", [alert])


def webhook_request(url: str, receiver: str, message: Message) -> Request:
    """The message in the form in which Alertmanager itself calls a webhook."""
    status = "resolved" if message.ended else "firing"
    named, noted = labels(message), _annotations(message)
    data: dict[str, Any] = {
        "version": "4",
        "groupKey": message.key,
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": {"alertname": named["alertname"]},
        "commonLabels": named,
        "commonAnnotations": noted,
        "externalURL": message.url,
        "alerts": [
            {
                "status": status,
                "labels": named,
                "annotations": noted,
                "startsAt": _moment(message.at),
                "endsAt": _moment(message.at) if message.ended else NEVER,
                "generatorURL": message.url,
                "fingerprint": message.key,
            }
        ],
    }
    return post_json(url, data, {KEY_HEADER: header_value(message.key)})


def _annotations(message: Message) -> dict[str, str]:
    return {
        "summary": message.headline,
        "description": "\n".join(message.lines),
        "runbook": message.runbook,
        "level": message.level,
        "severity": SEVERITY[message.level],
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
