"""The console goes by the rules in force: published from elsewhere while it runs, or retired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.environment import load_settings
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics
from schemas.contract import load_contracts
from streams.watch.publish.published import RuleRecord
from streams.watch.publish.rule_topic import publish
from tests.streams.duty.console.house import NOW, House, house_open, settings_for
from tests.streams.watch.trying import rule

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
ELSEWHERE = rule(
    {"kind": "threshold", "field": "pm25"}, {"red": 250}, rule="test.elsewhere",
    title={"zh": "别处发布的规则", "en": "Published elsewhere"},
)  # fmt: skip


def until(holds: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


def rules_page(house: House) -> str:
    with house.visitor("head") as client:
        return client.get("/rules").text


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_rule_published_elsewhere_is_shown_and_keeps_its_title_when_it_is_retired(tmp_path: Path) -> None:
    jars = load_settings().kafka_jars
    settings = replace(settings_for(tmp_path), kafka_controller_port=free_port(), kafka_libs=jars)
    with kafka_running(settings), house_open(settings) as house:
        house.officer("head", "supervisor", "330000")
        assert "站点细颗粒物小时浓度" in rules_page(house), "until anything is published, the files"
        ensure_topics(settings, load_contracts())
        entry = RuleRecord(rule=ELSEWHERE.id, version=1, text=ELSEWHERE.text, at=NOW)
        asyncio.run(publish(settings.kafka, [entry]))
        until(lambda: "别处发布的规则" in rules_page(house))
        assert "站点细颗粒物小时浓度" not in rules_page(house), "the topic is the one home of rules in force"
        case = house.warn(1, rule=ELSEWHERE.id, title="别处发布的规则")
        asyncio.run(publish(settings.kafka, [replace_text(entry, "")]))
        until(lambda: "v1 ·" not in rules_page(house))
        assert "别处发布的规则" in rules_page(house), "its case is left, and has a name"
        with house.visitor("head") as client:
            client.cookies.set("liaowang_language", "en")
            assert "Published elsewhere" in client.get(f"/cases/{case}").text


def replace_text(entry: RuleRecord, text: str) -> RuleRecord:
    return RuleRecord(rule=entry.rule, version=entry.version, text=text, at=entry.at)
