"""A sender moves from one major version to the next on a running stack; then the older one is closed."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import load_contracts
from schemas.fields import SHANGHAI
from schemas.in_use import FILES, FOLDER, take
from schemas.settings import HOST, PREFIX
from tests.journeys.stack import Stack, eventually
from tests.majors import FEED, NEW, OLD, newest, older, write

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1800)]
PINNED, MOVING = "ecology.pm25-high", "ecology.index-high"
RULE = f"""
rule: {MOVING}
version: 1
title: {{zh: 地区空气质量指数超限, en: Index of a region is high}}
feed: {FEED}
subject: [region]
condition: {{kind: threshold, field: aqi}}
levels: {{red: 300}}
runbook: 核对。
duty_role: ecology-duty
"""
OLD_WORDS: dict[str, Any] = {"station": "S1", "averaging": "1h", "pm25": 400, "aqi": 350}
NEW_WORDS: dict[str, Any] = {"site": "S1", "period": "hour", "pm25_mg": 0.4, "aqi": 350, "method": "beta"}


def post(
    stack: Stack, type: str, id: str, at: datetime, data: dict[str, Any]
) -> tuple[int, dict[str, Any], Message]:
    """Status, answer and headers of the gateway, which takes both versions at the feed's address."""
    event = {"specversion": "1.0", "id": id, "source": "/hangzhou", "type": type, "time": at.isoformat()}
    settings = stack.settings
    asked = urllib.request.Request(
        f"http://{HOST}:{settings.gateway_port}/v1/feeds/{FEED}/events",
        json.dumps(event | {"data": {"region": "330110"} | data}).encode(),
        {"Authorization": f"Bearer {settings.tokens()['ecology']}"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def now() -> datetime:
    return datetime.now(UTC)


def judged_soon() -> datetime:
    """A time that the live clock, which is behind by the feed's lateness, comes to within the minute."""
    return now() - load_contracts()[FEED].lateness + timedelta(seconds=40)


def pin(rules: Path) -> None:
    """Have every rule of the feed stay with the older version, as their owner would edit them."""
    for path in rules.glob("*/*.yaml"):
        text = path.read_text(encoding="utf-8")
        named = re.sub(rf"feed: {re.escape(FEED)}(?=[,\s])", f"feed: {OLD}", text)
        if named != text and not text.lstrip().startswith(f"rule: {MOVING}"):
            path.write_text(re.sub(r"(?m)^version: 1$", "version: 2", named), encoding="utf-8")


def told(stack: Stack, rule: str) -> list[tuple[str, ...]]:
    """Kind and reason of what a rule has said live, in order."""
    rows = stack.rows(
        "SELECT kind, JSONExtractString(evidence, 'reason') FROM landing.duty_warning"
        f" WHERE rule = '{rule}' AND timeline = '' ORDER BY at, ordinal"
    )
    return list(dict.fromkeys(tuple(map(str, row)) for row in rows))


def test_a_sender_moves_from_one_major_version_to_the_next(stack: Stack, tmp_path: Path) -> None:
    take(tmp_path, FILES)
    folder = tmp_path / FOLDER
    stack.given[f"{PREFIX}DECLARATIONS"] = stack.environment[f"{PREFIX}DECLARATIONS"] = str(folder)
    (folder / "rules/ecology/index-high.yaml").write_text(RULE.lstrip(), encoding="utf-8")
    stack.liaowang("up", seconds=900)
    status, _, headers = post(stack, OLD, "m1", judged_soon(), OLD_WORDS)
    assert status == 202 and "Sunset" not in headers
    for rule in (PINNED, MOVING):
        eventually(lambda rule=rule: told(stack, rule) == [("opened", "")], f"{rule} to warn")

    both_are_taken(stack, folder)
    who_still_sends(stack)

    today = datetime.now(SHANGHAI).date()
    write(folder / "feeds", "air-quality.v1", older(str(today - timedelta(days=1))))
    assert "gateway has them" in stack.liaowang("apply", seconds=900).stderr
    status, answer, headers = post(stack, OLD, "m9", now(), OLD_WORDS)
    said = f"{OLD} was taken until {today - timedelta(days=1)}; send {NEW}"
    assert (status, answer) == (410, {"error": said}) and headers["Sunset"]
    assert post(stack, NEW, "m9", now(), NEW_WORDS)[0] == 202
    file = tmp_path / "late.jsonl"
    file.write_text("{}\n")
    assert "was taken until" in stack.liaowang("send", OLD, file, code=2).stderr


def both_are_taken(stack: Stack, folder: Path) -> None:
    """Rules change over at one tick; what is sent as either, or as both, is there once."""
    write(folder / "feeds", "air-quality", newest())
    write(folder / "feeds", "air-quality.v1", older())
    pin(folder / "rules")
    said = stack.liaowang("apply", seconds=900).stderr
    change = f"rules that name {FEED} read {NEW} from the next tick on"
    steps = ["watch has them", "gateway has them", change, f"rule {PINNED}: version 2 published"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places), said
    moved = [("opened", ""), ("cancelled", "contract-changed")]
    eventually(lambda: told(stack, MOVING) == moved, "the warning of the older version to end")
    assert told(stack, PINNED) == [("opened", "")]
    status, _, headers = post(stack, OLD, "m2", now(), OLD_WORDS | {"pm25": 20, "aqi": 30})
    assert status == 202 and headers["Deprecation"] == "@1767196800"
    assert headers["Sunset"] == "Wed, 30 Jun 2027 16:00:00 GMT"
    eventually(lambda: told(stack, PINNED) == [("opened", ""), ("recovered", "")], "what was pinned to go on")
    status, _, headers = post(stack, NEW, "m3", judged_soon(), NEW_WORDS)
    assert status == 202 and not {"Deprecation", "Sunset"} & set(headers)
    again = "SELECT count() FROM landing.duty_warning WHERE rule = '{}' AND kind = 'opened'"
    eventually(lambda: stack.rows(again.format(MOVING)) == [(2,)], "the newest to be judged")


def who_still_sends(stack: Stack) -> None:
    """An event that is sent as both is built once; the task names its source."""
    day: date = datetime.now(SHANGHAI).date() - timedelta(days=1)
    noon = datetime.combine(day, datetime.min.time(), SHANGHAI) + timedelta(hours=12)
    for type, words in ((OLD, OLD_WORDS), (NEW, NEW_WORDS), (OLD, OLD_WORDS)):
        assert post(stack, type, "twice", noon, words)[0] == 202
    landed = "SELECT count() FROM landing.ecology_air_quality_v2 WHERE id = 'twice'"
    eventually(lambda: stack.rows(landed)[0][0] >= 1, "copies to be landed")
    older_landed = "SELECT count() FROM landing.ecology_air_quality WHERE id = 'twice'"
    eventually(lambda: stack.rows(older_landed)[0][0] >= 1, "events to be landed")
    stack.settle()
    stack.liaowang("build", "--from", day, "--to", day, seconds=900)
    built = "SELECT count() FROM mart.ecology_air_quality_v2 WHERE site = 'S1'"
    assert stack.rows(built, user="bi") == [(1,)]
    tasks = json.loads(stack.liaowang("quality", "tasks", "--json").stdout)
    (task,) = [each for each in tasks if each["task"] == OLD]
    assert task["department"] == "ecology" and "/hangzhou" in json.dumps(task, ensure_ascii=False)
    assert f"send {NEW}" in json.dumps(task, ensure_ascii=False) or NEW in json.dumps(task)
