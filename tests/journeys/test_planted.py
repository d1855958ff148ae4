"""Everything planted in generated feeds, and nothing else, comes out at the other end."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.rule_history.backtest import Version, run
from deploy.rule_history.landed_log import Stretch
from streams.watch.declare.load import load_rules
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.logs import log_ids
from tests.journeys.stack import CONTRACTS, FEEDS, Stack, generated, moment

LEVELS = ("blue", "yellow", "orange", "red")
TIMELINE = "planted"
TABLES = {feed: CONTRACTS[feed].table for feed in FEEDS}
Key = tuple[str, str]


@pytest.mark.journey
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("days", "seed"), [(20, 41), (12, 7)])
def test_what_was_planted_comes_out(stack: Stack, tmp_path: Path, days: int, seed: int) -> None:
    planted = generated(stack, tmp_path, days, seed)
    stack.liaowang("up")
    for feed in FEEDS:
        stack.liaowang("send", feed, tmp_path / f"{feed}.jsonl", "--order", "file", "--timeline", TIMELINE)
    stack.settle()
    stack.liaowang("build", "--pending", seconds=600)
    stack.liaowang("ledger", "check")
    _each_anomaly_is_one_episode(stack, planted["anomalies"])
    _each_warning_is_pushed_once(stack)
    _a_back_test_of_the_log_says_the_same(stack)
    for feed in FEEDS:
        lines = (tmp_path / f"{feed}.jsonl").read_bytes().splitlines()
        dirt = [each for each in planted["dirt"] if each["feed"] == feed]
        assert len(lines) == planted["counts"][feed]["lines"]
        _rejected_for_the_planted_reason(stack, feed, lines, dirt)
        _late_ones_are_told(stack, feed, dirt)
        _nothing_is_lost_or_doubled(stack, feed, lines, dirt, planted["counts"][feed])
    _what_comes_later_is_told_of_by_the_review_alone(stack, tmp_path, planted["anomalies"])


def _each_anomaly_is_one_episode(stack: Stack, anomalies: list[dict[str, Any]]) -> None:
    rows = stack.rows(
        "SELECT id, rule, subject, episode, ordinal, kind, level, at, timeline FROM landing.duty_warning FINAL"
    )
    assert len({row[0] for row in rows}) == len(rows), "a transition stands twice on the topic"
    assert {row[-1] for row in rows} == {TIMELINE}
    episodes: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for _, rule, subject, episode, _, kind, level, at, _ in sorted(rows, key=lambda row: row[4]):
        episodes[episode].append((rule, subject, kind, level, at))
    found = Counter(_told(steps) for steps in episodes.values())
    expected = Counter(
        (
            each["rule"],
            each["subject"],
            each["level"],
            moment(each["opened_at"]),
            moment(each["recovered_at"]),
        )
        for each in anomalies
    )
    assert len(anomalies) > 5 and {each["level"] for each in anomalies} == set(LEVELS)
    assert found == expected, f"missing {expected - found}, not planted {found - expected}"


def _a_back_test_of_the_log_says_the_same(stack: Stack) -> None:
    """What `watch` said while events came is, byte for byte, what the landed log gives; so is each one alone."""
    rules = {rule.id: rule for rule in load_rules(CONTRACTS)}
    version = Version("all", tuple((rule.id, rule.text) for rule in rules.values()))
    (found,) = run(stack.settings, CONTRACTS, [version], Stretch(), processes=2)
    landed = stack.rows("SELECT id, raw FROM landing.duty_warning FINAL ORDER BY id")
    logs = asyncio.run(log_ids(stack.settings.kafka, [each.topic for each in CONTRACTS.values()]))
    assert Counter(encode_warning(each, rules, logs.get(each.topic, "")) for each in found) == Counter(
        raw.encode() for _, raw in landed
    )
    for id, _ in landed[:: max(1, len(landed) // 4)]:
        assert json.loads(stack.liaowang("warnings", "replay", id, "--json").stdout)["identical"]


def _told(steps: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """An episode in the words of planted.json."""
    rule, subject, kind, _, opened = steps[0]
    *_, last, _, recovered = steps[-1]
    assert (kind, last) == ("opened", "recovered"), steps
    assert Counter(step[2] for step in steps) >= Counter(["opened", "recovered"])
    assert sum(step[2] in ("opened", "recovered") for step in steps) == 2, steps
    highest = max((step[3] for step in steps), key=LEVELS.index)
    return rule, subject, highest, opened, recovered


def _each_warning_is_pushed_once(stack: Stack) -> None:
    ids = {id for (id,) in stack.rows("SELECT id FROM landing.duty_warning FINAL")}
    received = stack.received()
    assert {each["key"] for each in received} == ids
    assert len(received) == len(ids)
    assert sum(each["copies"] for each in received) == 0
    assert all(each["push"]["id"] == each["key"] for each in received)


def _rejected_for_the_planted_reason(
    stack: Stack, feed: str, lines: list[bytes], dirt: list[dict[str, Any]]
) -> None:
    expected = Counter(
        (sent(lines[each["line"] - 1]), reason["field"], reason["rule"])
        for each in dirt
        if (reason := each["expected"].get("rejected"))
    )
    rows = stack.rows(f"SELECT raw, field, rule FROM landing.rejected FINAL WHERE feed = '{feed}'")
    found = Counter((_bytes(raw), field, rule) for raw, field, rule in rows)
    assert expected
    assert found == expected, f"missing {expected - found}, not planted {found - expected}"


def _late_ones_are_told(stack: Stack, feed: str, dirt: list[dict[str, Any]]) -> None:
    rows = stack.rows(f"SELECT source, id FROM landing.{TABLES[feed]} FINAL WHERE late = 1")
    assert Counter(rows) == Counter(_keys(dirt, "late"))


def _nothing_is_lost_or_doubled(
    stack: Stack, feed: str, lines: list[bytes], dirt: list[dict[str, Any]], counts: dict[str, int]
) -> None:
    wrong = {each["line"] for each in dirt if "rejected" in each["expected"]}
    valid = Counter(identity(line) for at, line in enumerate(lines, 1) if at not in wrong)
    copies = Counter(_keys(dirt, "duplicate"))
    assert valid == Counter(set(valid)) + copies, "the list of duplicates is not that of the file"
    assert len(valid) == counts["valid_unique"]
    landed = stack.rows(f"SELECT source, id, count() FROM landing.{TABLES[feed]} FINAL GROUP BY ALL")
    assert {(source, id): number for source, id, number in landed} == valid
    built = stack.rows(f"SELECT source, id FROM mart.{TABLES[feed]}", user="bi")
    assert len(built) == len(valid)
    assert set(built) == set(valid)


def sent(line: bytes) -> bytes:
    """The bytes that a line becomes: an object gets its timeline, anything else stays as it is."""
    try:
        document = json.loads(line)
    except ValueError:
        return line
    assert isinstance(document, dict) and "timeline" not in document
    return b'{"timeline":"' + TIMELINE.encode() + b'",' + line[1:]


def identity(line: bytes) -> Key:
    """Source and id of an event."""
    document = json.loads(line)
    return document["source"], document["id"]


def _keys(dirt: list[dict[str, Any]], outcome: str) -> Iterator[Key]:
    return ((each["source"], each["id"]) for each in dirt if each["expected"].get(outcome))


def _bytes(raw: str | bytes) -> bytes:
    return raw.encode() if isinstance(raw, str) else raw


def _what_comes_later_is_told_of_by_the_review_alone(
    stack: Stack, folder: Path, anomalies: list[dict[str, Any]]
) -> None:
    """Readings of a warning are lowered and a spike comes days late: `watch` stands by what it said."""
    assert {each["verdict"] for each in _reviewed(stack, anomalies)} == {"agreed"}
    before = stack.rows("SELECT count() FROM landing.duty_warning FINAL")
    spike = next(each for each in anomalies if each["rule"] == "ecology.pm25-high" and each["level"] == "red")
    (folder / "later.jsonl").write_text("\n".join(map(json.dumps, _later(stack, spike, anomalies))))
    stack.liaowang("send", FEEDS[0], folder / "later.jsonl", "--timeline", TIMELINE)
    stack.settle()
    assert stack.rows("SELECT count() FROM landing.duty_warning FINAL") == before
    different = {
        (each["verdict"], each["subject"], each["level"])
        for each in _reviewed(stack, anomalies)
        if each["verdict"] != "agreed"
    }
    late = next(subject for verdict, subject, _ in different if verdict == "missed")
    assert different == {
        *(("spurious", spike["subject"], level) for level in LEVELS),
        *(("missed", late, level) for level in ("blue", "yellow")),
    }
    sums = "SELECT sum(missed), sum(spurious) FROM mart.rule_quality WHERE rule = 'ecology.pm25-high'"
    assert stack.rows(sums) == [(2, 4)]


def _later(stack: Stack, spike: dict[str, Any], anomalies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Corrections of all high readings of a spike, and one high reading of a station that had none."""
    opened, recovered = (
        f"parseDateTimeBestEffort('{spike[name]}')" for name in ("opened_at", "recovered_at")
    )
    rows = stack.rows(
        f"SELECT raw FROM landing.{TABLES[FEEDS[0]]} FINAL WHERE averaging = '1h' "
        f"AND time BETWEEN {opened} AND {recovered} ORDER BY time, station, offset LIMIT 1 BY source, id"
    )
    events = [json.loads(raw) for (raw,) in rows]
    for event in events:
        if event["data"]["station"] == spike["subject"] and event["data"]["pm25"] >= 100:
            lowered = event["data"] | {"pm25": 30.0}
            yield event | {"id": f"{event['id']}~", "corrects": event["id"], "data": lowered}
    busy = {each["subject"] for each in anomalies}
    calm = next(event for event in events if event["data"]["station"] not in busy)
    half_past = (moment(calm["time"]) + timedelta(minutes=30)).isoformat()
    yield calm | {"id": "late", "time": half_past, "data": calm["data"] | {"pm25": 180.0}}


def _reviewed(stack: Stack, anomalies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the review says of each warning on the days of the anomalies."""
    days = sorted(each["opened_at"][:10] for each in anomalies)
    said = stack.liaowang("rules", "review", "--from", days[0], "--to", days[-1], "--json").stdout
    warnings: list[dict[str, Any]] = json.loads(said)["warnings"]
    return warnings
