"""Each channel against a receiver that speaks its service's form, and refuses as it does."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import Misdeclared
from streams.duty.notify.channels.config import parse_channels
from streams.duty.notify.channels.message import Message, Recipient, fitted
from streams.duty.notify.channels.sender import Sender
from streams.duty.notify.signature import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, complaint
from streams.duty.retry_policy import Answer
from tests.streams.duty.channels import services
from tests.streams.duty.channels.services import Services, serving

OFFICER = Recipient("officer-1", "值班员", "13900000001", "officer-1@example.com")
MESSAGE = Message(
    key="case-1/1/0/dingtalk",
    level="red",
    title="细颗粒物浓度偏高",
    lines=("地区：杭州市西湖区", "对象：1233A", "数值：260", "阈值：250", "处置：通知运维单位核查"),
    url="http://127.0.0.1:18060/a/token",
    at=datetime(2026, 3, 1, 8, tzinfo=UTC),
    to=OFFICER,
    labels={"rule": "ecology.pm25-high", "region": "330106", "subject": "1233A", "episode": "e-1"},
    runbook="通知运维单位核查",
)
YAML = """
channels:
  robot: {{kind: dingtalk-robot, url: "{base}/robot/send"}}
  work: {{kind: dingtalk-work, url: "{base}", agent: "4711"}}
  zhejiang: {{kind: zhejiang-work, url: "{base}", tenant: "196729"}}
  wecom: {{kind: wecom-robot, url: "{base}/cgi-bin/webhook/send"}}
  sms:
    kind: sms
    url: "{base}/sms"
    form: {{mobile: "{{phone}}", content: "{{text}}", ts: "{{timestamp}}", sign: "{{sign}}", ref: "{{key}}"}}
    success: {{code: code, good: "0", text: message}}
    again: [E10]
    limit: 70
    prefix: "【瞭望】"
  hook: {{kind: webhook, url: "{base}/hook"}}
  alerts: {{kind: alertmanager-webhook, url: "{base}/hook", receiver: duty}}
"""
SECRETS = {
    "robot": {"token": services.TOKEN, "secret": services.SECRET},
    "work": {"app_key": services.APP_KEY, "app_secret": services.APP_SECRET},
    "zhejiang": {"app_key": services.APP_KEY, "app_secret": services.APP_SECRET},
    "wecom": {"key": services.KEY},
    "sms": {"secret": "sms-secret"},
    "hook": {"key": "hook-key"},
}
Work = Callable[[Callable[..., Awaitable[Answer]], Services], Awaitable[None]]


def run(work: Work, secrets: dict[str, dict[str, str]] = SECRETS) -> Services:
    """Work with a function that sends by a channel's name, against all services."""
    there = Services()

    async def whole() -> None:
        async with serving(there) as base:
            channels = parse_channels(YAML.format(base=base), "channels.yaml").channels
            nonces = iter(range(10**6))
            async with Sender(secrets, lambda: f"nonce-{next(nonces)}") as sender:

                async def send(name: str, message: Message = MESSAGE) -> Answer:
                    return await sender.send(channels[name], message, time.time())

                await work(send, there)

    asyncio.run(whole())
    return there


def sent(names: Iterable[str], message: Message = MESSAGE) -> tuple[list[Answer], Services]:
    answers: list[Answer] = []

    async def work(send: Callable[..., Awaitable[Answer]], _: Services) -> None:
        for name in names:
            answers.append(await send(name, message))

    return answers, run(work)


def test_every_service_takes_what_is_sent() -> None:
    names = ("robot", "work", "zhejiang", "wecom", "sms", "hook", "alerts")
    answers, there = sent(names)
    assert [answer.status for answer in answers] == [200] * 7
    assert there.refused == []
    robot = there.got["dingtalk-robot"][0]
    assert "红色预警" in robot["markdown"]["title"]
    assert MESSAGE.url in robot["markdown"]["text"]
    assert robot["at"]["atMobiles"] == ["13900000001"]
    assert there.got["dingtalk-work"][0]["userid_list"] == "user-1"
    work = there.got["zhejiang-work"][0]
    assert (work["receiverIds"], work["bizMsgId"]) == ("user-1", MESSAGE.key)
    assert work["msg"]["action_card"]["single_url"] == MESSAGE.url
    assert "西湖区" in there.got["wecom-robot"][0]["markdown"]["content"]
    assert there.got["sms"][0]["content"].endswith(MESSAGE.url)
    assert there.got["sms"][0]["ref"] == MESSAGE.key


def test_the_webhook_is_signed_and_carries_its_key() -> None:
    _, there = sent(["hook"])
    headers, body = there.got["hook"][0]
    assert headers[KEY_HEADER] == MESSAGE.key
    given = headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER]
    assert complaint("hook-key", *given, body, time.time()) == ""
    assert json.loads(body)["labels"]["rule"] == "ecology.pm25-high"


def test_alertmanagers_webhook_form() -> None:
    _, there = sent(["alerts"])
    body = json.loads(there.got["hook"][0][1])
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "duty")
    assert body["alerts"][0]["labels"]["alertname"] == "ecology.pm25-high"
    _, there = sent(["alerts"], replace(MESSAGE, ended=True))
    assert json.loads(there.got["hook"][0][1])["status"] == "resolved"


@pytest.mark.parametrize(
    ("name", "wrong", "code"),
    [
        ("robot", {"token": "other", "secret": services.SECRET}, "300001"),
        ("robot", {"token": services.TOKEN, "secret": "other"}, "310000"),
        ("wecom", {"key": "other"}, "93000"),
        ("work", {"app_key": "other", "app_secret": "other"}, "40089"),
        ("zhejiang", {"app_key": services.APP_KEY, "app_secret": "other"}, "SignatureDoesNotMatch"),
        ("sms", {"secret": "other"}, "E02"),
    ],
)
def test_wrong_secrets_are_refused_for_good_with_the_services_own_code(
    name: str, wrong: dict[str, str], code: str
) -> None:
    answers: list[Answer] = []

    async def work(send: Callable[..., Awaitable[Answer]], _: Services) -> None:
        answers.append(await send(name))

    run(work, {**SECRETS, name: wrong})
    assert answers[0].status == 400
    assert code in answers[0].reason
    assert not any(secret in answers[0].reason for secret in wrong.values())


@pytest.mark.parametrize("name", ["robot", "wecom", "sms"])
def test_too_many_come_again_later(name: str) -> None:
    answers, _ = sent([name] * 21)
    assert [answer.status for answer in answers] == [200] * 20 + [429]
    assert float(answers[-1].retry_after) == {"robot": 600, "wecom": 60, "sms": 10}[name]


def test_an_access_token_is_asked_for_once_and_anew_when_it_is_refused() -> None:
    answers: list[Answer] = []

    async def work(send: Callable[..., Awaitable[Answer]], there: Services) -> None:
        answers.extend([await send("work"), await send("work")])
        there.tokens.append("the service made a new one itself")
        answers.extend([await send("work"), await send("work")])

    there = run(work)
    assert [answer.status for answer in answers] == [200, 200, 503, 200]
    assert len([token for token in there.tokens if token.startswith("access")]) == 2


def test_an_officer_without_the_address_is_refused_with_his_login() -> None:
    answers, _ = sent(["sms"], replace(MESSAGE, to=Recipient("officer-9")))
    assert (answers[0].status, answers[0].reason) == (400, "officer-9 has no phone")


def test_a_service_that_is_away_has_no_status() -> None:
    async def whole() -> Answer:
        channels = parse_channels(YAML.format(base="http://127.0.0.1:9"), "channels.yaml").channels
        async with Sender(SECRETS, lambda: "n") as sender:
            return await sender.send(channels["robot"], MESSAGE, time.time())

    answer = asyncio.run(whole())
    assert answer.status is None
    assert answer.reason


LONG = replace(MESSAGE, lines=tuple(f"第 {number} 个县：浓度偏高，请核查现场情况" for number in range(900)))


@pytest.mark.parametrize("name", ["robot", "work", "zhejiang", "wecom", "sms"])
def test_long_messages_are_cut_to_what_the_service_takes_and_keep_their_link(name: str) -> None:
    answers, there = sent([name], LONG)
    assert (answers[0].status, there.refused) == (200, [])
    got: Any = next(iter(there.got.values()))[0]
    assert LONG.url in json.dumps(got, ensure_ascii=False)


def test_what_is_left_out_is_counted() -> None:
    text = fitted("head", ["a" * 30, "b" * 30, "c" * 30], "link", 95)
    assert text.splitlines()[0] == "head"
    assert "另有 2 条" in text
    assert text.endswith("link")
    assert len(text.encode()) <= 95
    assert fitted("短", ["一"], "", 100) == "短\n一"


def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    answers: list[Answer] = []

    async def work(send: Callable[..., Awaitable[Answer]], there: Services) -> None:
        there.in_pieces = True
        answers.append(await send("robot"))

    run(work)
    assert answers[0].status == 200


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("{phnoe}", "no field 'phnoe'; there are phone, text"),
        ("{phone", "{ stands alone at 1"),
        ("{phone.upper}", "no field 'phone.upper'"),
        ("{phone!r}", "no field 'phone!r'"),
        ("{text:>{width}}", "{ stands alone at 1"),
        ("{text:>9999999999}", "no field 'text:>9999999999'"),
        ("{}", "{} names no field"),
    ],
)
def test_a_form_with_an_unknown_field_is_refused_before_anything_is_sent(form: str, said: str) -> None:
    text = f'channels: {{sms: {{kind: sms, url: "http://x", form: {{to: "{form}"}}}}}}'
    with pytest.raises(Misdeclared, match=re.escape(said)):
        parse_channels(text, "channels.yaml")
