"""A feed more on a running stack: it is taken in, landed and watched, while the events of others flow on."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local.control import Control
from schemas.contract import load_contracts
from schemas.in_use import FILES, FOLDER, take
from schemas.settings import HOST, PREFIX
from schemas.topics import feed_topic
from tests.benchmarks.growth import CONTRACT, DEPARTMENT, RULE
from tests.journeys.stack import FEEDS, Stack, eventually

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1800)]
AIR, NEW = FEEDS[0], "market.prices"
WRONG = 2
THIRD = """
      - {name: third, logicalType: integer, required: false, logicalTypeOptions: {minimum: 0},
         classification: public, description: What was not told before.}
""".lstrip("\n")


def post(stack: Stack, feed: str, department: str, id: str, data: dict[str, Any]) -> int:
    """The gateway's answer to one event of now; 0 where there is none."""
    event = {
        "specversion": "1.0", "id": id, "source": "/test", "type": f"{feed}.v1",
        "time": datetime.now(UTC).isoformat(), "data": data,
    }  # fmt: skip
    settings = stack.settings
    asked = urllib.request.Request(
        f"http://{HOST}:{settings.gateway_port}/v1/feeds/{feed}/events",
        json.dumps(event).encode(),
        {"Authorization": f"Bearer {settings.tokens().get(department, '')}"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


class Station(threading.Thread):
    """Sends the same every few tenths of a second until it is stopped; keeps the answers."""

    def __init__(self, stack: Stack, feed: str, department: str, data: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.stack, self.answers, self.stopped = stack, list[int](), threading.Event()
        self.sent = feed, department, data

    def run(self) -> None:
        feed, department, data = self.sent
        while not self.stopped.wait(0.3):
            self.answers.append(post(self.stack, feed, department, f"a{len(self.answers)}", data))

    def end(self) -> list[int]:
        self.stopped.set()
        self.join()
        return self.answers


def pids(stack: Stack) -> dict[str, int]:
    return {name: each.pid for name, each in (Control(stack.home).processes() or {}).items()}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip(), encoding="utf-8")


def test_a_feed_is_added_without_a_restart_of_the_stack(stack: Stack, tmp_path: Path) -> None:
    take(tmp_path, FILES)
    folder = tmp_path / FOLDER
    stack.given[f"{PREFIX}DECLARATIONS"] = stack.environment[f"{PREFIX}DECLARATIONS"] = str(folder)
    done = stack.liaowang("apply", code=1)
    assert "nothing is up; `liaowang up` starts it" in done.stderr
    stack.liaowang("up", seconds=900)
    reading = {"station": "P1", "region": "330110", "stage": "reading", "value": 950}
    assert post(stack, NEW, "ecology", "p0", reading) == 404
    assert "nothing that runs has to read" in stack.liaowang("apply", seconds=300).stderr

    hourly = {"station": "S1", "region": "330110", "averaging": "1h", "pm25": 20.0}
    station, before = Station(stack, AIR, "ecology", hourly), pids(stack)
    station.start()
    contract = CONTRACT.format(feed=NEW, domain="market", number=1, table="prices")
    write(folder / "feeds/market/prices.yaml", contract)
    with (folder / "departments.yaml").open("a", encoding="utf-8") as file:
        file.write(DEPARTMENT.format(id="market"))
    rule = RULE.format(
        id="market.prices-high", feed=f"feed: {NEW}\n", subject="[station]", more="",
        condition="{kind: threshold, field: value}", levels="{red: 900}",
    )  # fmt: skip
    write(folder / "rules/market/prices-high.yaml", rule)
    said = stack.liaowang("apply", seconds=900).stderr
    for name in ("gateway", "ticker", "land", "watch", "console"):
        assert f"{name} has them" in said

    in_force(stack, NEW)
    assert post(stack, NEW, "market", "p1", reading) == 202
    table = load_contracts(folder / "feeds")[NEW].table
    eventually(
        lambda: stack.rows(f"SELECT count() FROM landing.{table}") == [(1,)], "the new feed to be landed"
    )
    warned = "SELECT count() FROM landing.duty_warning WHERE rule = 'market.prices-high'"
    eventually(lambda: stack.rows(warned) != [(0,)], "its rule to warn")
    assert stack.rows(f"SELECT count() FROM mart.{table}", user="bi") == [(0,)], (
        "bi may read it; nothing is built"
    )

    write(folder / "rules/market/prices-high.yaml", rule.replace("red: 900", "crimson: 900"))
    assert "set aside" in stack.liaowang("apply", code=WRONG, seconds=300).stderr
    write(folder / "rules/market/prices-high.yaml", rule)
    stack.liaowang("apply", seconds=300)
    grows(stack, folder, contract, rule, table)

    joins(stack, folder)

    answers, after = station.end(), pids(stack)
    assert len(answers) > 10 and set(answers) == {202}, "other feeds are taken in all the while"
    landed = f"SELECT uniqExact(id), count() FROM landing.{load_contracts()[AIR].table} WHERE station = 'S1'"
    eventually(lambda: stack.rows(landed) == [(len(answers), len(answers))], "each to be landed, once")
    kept = {name for name, pid in after.items() if pid == before[name]}
    assert {"kafka", "warehouse", "gateway", "ticker", "push", "receiver", "health"} <= kept
    assert not {"land", "watch", "duty", "console"} & kept, "a rule came as well, whose title duty shows"


def in_force(stack: Stack, feed: str) -> None:
    """Wait until rules that were published are in force on a feed: they come with a tick, one in five seconds."""
    told = stack.liaowang("rules", "history", "--json").stdout.splitlines()
    epoch = max(json.loads(line)["epoch"] for line in told)
    reached = (
        "SELECT uniqExact(partition) FROM landing.tick"
        f" WHERE topic = '{feed_topic(feed)}' AND epoch >= {epoch}"
    )
    eventually(lambda: stack.rows(reached) == [(stack.settings.partitions,)], "a tick with the rules")


def joins(stack: Stack, folder: Path) -> None:
    """An office is declared by one command; its token opens its own regions at once, until there is another."""
    names = ("--zh", "杭州市生态环境局", "--en", "Ecology of Hangzhou", "--part-of", "ecology")
    office = ("department", "add", "ecology-hz", *names, "--region", "330100", "--steward", "hz")
    added = stack.liaowang(*office).stdout
    assert "the gateway knows it" in added and "its token, shown this once: " in added
    reading = {"station": "O1", "region": "330110", "averaging": "1h", "pm25": 20.0}
    assert post(stack, AIR, "ecology-hz", "o1", reading) == 202
    assert post(stack, AIR, "ecology-hz", "o2", reading | {"region": "330203"}) == 422
    assert post(stack, NEW, "ecology-hz", "o3", reading) == 403
    first = stack.settings.tokens()["ecology-hz"]
    assert first in added and "was declared already" in stack.liaowang(*office).stdout
    stack.liaowang("department", "token", "ecology-hz")
    assert stack.settings.tokens()["ecology-hz"] != first
    assert post(stack, AIR, "ecology-hz", "o1", reading) == 202
    logs = "".join(path.read_text(errors="replace") for path in (stack.home / "logs").glob("gateway.log*"))
    assert first not in logs

    before, file = pids(stack), folder / "departments.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("stewards: [hz]", 'stewards: [hz], phone: "0571 1234"'), encoding="utf-8")
    assert "gateway has them" in stack.liaowang("apply", seconds=300).stderr
    assert pids(stack) == before, "another telephone starts nothing again"
    assert "0571 1234" in stack.liaowang("department", "show", "ecology-hz").stdout


def grows(stack: Stack, folder: Path, contract: str, rule: str, table: str) -> None:
    """What the new contract allows is let in when it can be read, and judged by a rule that needs it."""
    wider = contract.replace("[begun, reading, ended]", "[begun, reading, ended, paused]").replace(
        "      - {name: note,", THIRD + "      - {name: note,"
    )
    paused = {"station": "P2", "region": "330110", "stage": "paused", "value": 1, "third": 7}
    sender = Station(stack, NEW, "market", paused)
    sender.start()
    write(folder / "feeds/market/prices.yaml", wider)
    write(
        folder / "rules/market/prices-high.yaml",
        rule.replace("version: 1", "version: 2").replace("field: value", "field: third"),
    )
    said = stack.liaowang("apply", seconds=900).stderr
    steps = ["land has them", "watch has them", "gateway has them", "prices-high: version 2 published"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places), said
    eventually(lambda: 202 in sender.answers, "the wider event to be let in")
    answers = sender.end()
    assert answers == sorted(answers, reverse=True) and set(answers) == {422, 202}
    landed = f"SELECT count() FROM landing.{table} WHERE stage = 'paused' AND third = 7"
    eventually(lambda: stack.rows(landed) == [(answers.count(202),)], "what was let in to be landed, whole")
    assert stack.rows(f"SELECT count() FROM landing.rejected WHERE feed = '{NEW}'") == [(0,)]
    eventually(
        lambda: all(each["health"] == "ok" for each in stack.services().values()), "all to be well", 600
    )
    stack.liaowang("status")
