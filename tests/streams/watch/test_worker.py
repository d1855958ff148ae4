"""The watch worker on the real broker: killed and rebalanced, it says exactly what its log says, once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from deploy.cli.stack.caught_up import behind, ends
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics
from deploy.rules.files import history, publish_files
from schemas.contract import Contract, load_contracts
from schemas.event import encode_event, encode_tick
from schemas.in_use import FILES
from schemas.settings import Settings
from schemas.topics import PARTIALS, RULES, WARNINGS
from streams import aside
from streams.http_guard import basic
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.flow import Flow
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.logs import log_ids
from streams.watch.publish.published import RuleBook, RuleRecord, encode_record
from streams.watch.publish.rule_topic import RuleEpochReader
from streams.watch.worker.worker import pause_after
from tests.programs import process, program

pytestmark = pytest.mark.stack
CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]
CASES = CONTRACTS["health.infectious-disease"]
START = datetime(2026, 3, 1, tzinfo=UTC)
CHANGELOG = "liaowang-watch-state-changelog"
NEVER = 1 << 40  # an epoch of rules
WORKER = program("streams.watch.worker.worker")


RULE = """
rule: {id}
version: {version}
title: {{zh: 试, en: trial}}
{rest}
runbook: none
duty_role: duty-desk
"""
HIGH = """
feed: ecology.air-quality
subject: [station]
condition: {kind: threshold, field: pm25}
levels: {blue: 115, red: 250}
recovery: 100
"""
SILENT = """
feed: ecology.air-quality
subject: [station]
condition: {kind: absence}
levels: {yellow: PT3H}
"""
COUNTY = """
feed: ecology.air-quality
subject: [region]
condition: {kind: count, window: PT6H}
levels: {yellow: 60, red: 64}
"""
BOTH = """
condition: {kind: composite, of: [trial.high, trial.county], count: warnings, within: PT1H}
levels: {orange: 3}
"""
SMOG = """
subject: "{region:city}"
condition:
  kind: correlation
  within: PT6H
  of:
    - {feed: ecology.air-quality, field: pm25, at_least: 250}
    - {feed: health.infectious-disease, field: cases, at_least: 20}
levels: {yellow: any, red: all}
"""
UNREPORTED = """
subject: "{region:city}"
condition:
  kind: sequence
  first: {feed: ecology.air-quality, where: {averaging: 1h}}
  then: {feed: health.infectious-disease}
levels: {yellow: PT4H, red: PT10H}
"""
TRIAL = {"high": HIGH, "silent": SILENT, "county": COUNTY, "both": BOTH}
"""Rules of the feed's own key, one re-keyed, and a composite of both kinds."""


def publish_trial(settings: Settings, rules: dict[str, str], version: int = 1) -> int:
    """Publish rules from a folder; gives the epoch."""
    folder = settings.home / "rules" / "trial"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rest in rules.items():
        text = RULE.format(id=f"trial.{name}", version=version, rest=rest)
        (folder / f"{name}.yaml").write_text(text)
    publish_files(settings, CONTRACTS, replace(FILES, rules=folder.parent))
    return history(settings).epoch


@pytest.fixture
def broker(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A broker of its own with the platform's topics, so that offsets and groups start from nothing."""
    ports = {name: free_port() for name in ("kafka_port", "kafka_controller_port", "metrics_port")}
    own = replace(settings, home=tmp_path, **ports)
    with kafka_running(own):
        ensure_topics(own, CONTRACTS)
        publish_trial(own, TRIAL)
        yield own


def worker(settings: Settings) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return process(settings, WORKER, settings.home / "watch.log", signal.SIGTERM)


def air_log(hours: int, stations: int, seed: int, start: datetime = START) -> list[tuple[str, bytes]]:
    """Hourly readings with spikes, gaps, copies, late ones and broken bytes, in order of arrival."""
    random = Random(seed)
    log = []
    for hour in range(hours):
        if hour % 7 == 0:
            log.append(("", encode_tick(id=f"t{hour}", clock=start + timedelta(hours=hour))))
        for station in range(stations):
            if random.random() < 0.02:
                continue
            at = start + timedelta(hours=hour - (5 if random.random() < 0.01 else 0))
            value = random.choice([30, 60, 99]) if random.random() < 0.95 else random.choice([120, 260, 400])
            region = ("330106", "330203", "330482", "330702")[station // 10]
            data = {"station": f"S{station}", "region": region, "averaging": "1h", "pm25": value}
            raw = encode_event(id=f"{hour}-{station}", source="/t", type=AIR.event_type, time=at, data=data)
            copies = 2 if random.random() < 0.01 else 1
            log += [(f"S{station}", raw if random.random() > 0.005 else b"{")] * copies
    return log


def cases_log(hours: int, seed: int) -> list[tuple[str, bytes]]:
    """Reports of four cities, at odd hours, of which some are left out."""
    random = Random(seed)
    log = []
    for hour in range(hours):
        at = START + timedelta(hours=hour, minutes=7)
        if hour % 7 == 0:
            log.append(("", encode_tick(id=f"t{hour}", clock=at)))
        for region in ("330100", "330200", "330400", "330700"):
            if random.random() < 0.2:
                data = {"region": region, "disease": "influenza", "date": at.date().isoformat()}
                data["cases"] = random.choice([3, 30])
                id = f"{region}-{hour}"
                raw = encode_event(id=id, source="/t", type=CASES.event_type, time=at, data=data)
                log.append((f"{region}|influenza", raw))
    return log


async def produce(
    settings: Settings, log: list[tuple[str, bytes]], final: datetime | None = None, feed: Contract = AIR
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=20)
    await producer.start()
    for key, value in log:
        if key:
            await producer.send(feed.topic, value, key.encode())
        for partition in range(0 if key else settings.partitions):
            await producer.send(feed.topic, value, partition=partition)
    if final is not None:
        await producer.flush()
        for partition in range(settings.partitions):
            await producer.send(feed.topic, encode_tick(id=f"end-{final}", clock=final), partition=partition)
    await producer.stop()


async def read(settings: Settings, topic: str) -> dict[int, list[object]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    end = await consumer.end_offsets(partitions)
    found: dict[int, list[object]] = {tp.partition: [] for tp in partitions}
    for tp in partitions:
        while len(found[tp.partition]) < end[tp]:
            for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                found[tp.partition] += records
    await consumer.stop()
    return found


def expected(settings: Settings, *feeds: Contract) -> Counter[bytes]:
    """What the same log gives when each partition is observed in one piece, without any worker."""
    told = history(settings)
    book = RuleBook(told, lambda text, where: parse_rule(text, where, CONTRACTS))
    book.pass_over(NEVER)
    found: list[Transition] = []
    rules = book.rule_set(told.first).rules
    partitions = {each.feed: settings.partitions for each in feeds or (AIR,)}
    flow = Flow(CONTRACTS, rules, partitions, epoch=told.first, book=book.rule_set)
    for each in feeds or (AIR,):
        for number, records in asyncio.run(read(settings, each.topic)).items():
            flow.observe(each.feed, number, records, found.append)  # type: ignore[arg-type]
    versions = {(each.rule, each.rule_version): book.rule(each.rule, each.rule_version) for each in found}
    logs = asyncio.run(log_ids(settings.kafka, [each.topic for each in feeds or (AIR,)]))
    return Counter(
        encode_warning(each, {each.rule: versions[each.rule, each.rule_version]}, logs.get(each.topic, ""))
        for each in found
    )


def settle(settings: Settings, seconds: float = 180, feeds: Sequence[Contract] = (AIR,)) -> None:
    deadline = time.monotonic() + seconds
    inputs = [each.topic for each in feeds]
    for topic in (*inputs, PARTIALS, PARTIALS):  # the second stage hears of its own transitions
        goal = ends(settings, [topic])
        while behind(settings, "liaowang-watch", goal):
            assert time.monotonic() < deadline, (settings.home / "watch.log").read_text()[-3000:]
            time.sleep(0.3)


def awaken(settings: Settings, seconds: float = 180) -> None:
    """Wait until a worker has opened its partitions: what it is sent now it works on at once."""
    before = told(settings)
    asyncio.run(produce(settings, [], START - timedelta(days=1)))
    deadline = time.monotonic() + seconds
    while told(settings) < before + settings.partitions:
        assert time.monotonic() < deadline, (settings.home / "watch.log").read_text()[-3000:]
        time.sleep(0.1)


def told(settings: Settings) -> int:
    return (settings.home / "watch.log").read_text().count("watching from")


def warned(settings: Settings) -> Counter[bytes]:
    found = asyncio.run(read(settings, WARNINGS))
    return Counter(record.value for records in found.values() for record in records)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("worked", "pause"),
    [
        pytest.param(0.02, 1.0, id="small"),
        pytest.param(0.5, 5.0, id="a tenth"),
        pytest.param(8.0, 30.0, id="huge"),
    ],
)
def test_checkpoints_take_a_tenth_of_the_processor_and_none_is_far_off(worked: float, pause: float) -> None:
    assert pause_after(worked) == pause


def test_killed_again_and_again_it_warns_of_the_same_things_once(broker: Settings) -> None:
    log = air_log(hours=120, stations=40, seed=7)
    third = len(log) // 3
    for part in (log[:third], log[third : 2 * third]):
        with worker(broker) as process:
            awaken(broker)
            asyncio.run(produce(broker, part))
            time.sleep(1.5)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
        shutil.rmtree(broker.home / "faust")  # the local disk is lost as well
    with worker(broker):
        asyncio.run(produce(broker, log[2 * third :], START + timedelta(hours=200)))
        settle(broker)
        figures = metrics(broker)
    assert figures["liaowang_watch_lag_records"] == 0
    assert figures["liaowang_watch_events_total"] > 0
    assert figures["liaowang_watch_state_bytes"] > 10_000
    wanted = expected(broker)
    assert len(wanted) > 400
    assert warned(broker) == wanted
    assert {b"trial.county", b"trial.both"} <= rules_of(wanted)


GARBAGE = (
    b"", None, b"\xff\xfe\x00", b"{", b"{}", b"[1]", b'{"id": 5}', b'{"id": "\\ud800"}', b"x" * 900_000,
    b"[" * 9_000, b"\x91\x90", encode_tick(id="t", clock=START),
)  # fmt: skip
BROKEN = RuleRecord(rule="trial.broken", version=1, text="rule: trial.broken\ncondition: [", at=START)
HALF = RuleRecord(rule="trial.half", version=1, text="rule: trial.half", at=START)


async def litter(settings: Settings, topic: str, values: Sequence[bytes | None]) -> None:
    """Write values to every partition of a topic, as any program on this machine can."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    try:
        for partition in await producer.partitions_for(topic):
            for number, value in enumerate(values):
                await producer.send_and_wait(topic, value, b"litter/%d" % number, partition=partition)
    finally:
        await producer.stop()


def test_what_does_not_belong_on_a_topic_of_the_platform_stops_nothing(broker: Settings) -> None:
    """On `warnings`, `partials`, `rules` and the changelog: before a start, and after a kill."""
    log = air_log(hours=60, stations=12, seed=9)
    log.insert(100, ("", encode_tick(id="t", clock=START, epoch=NEVER)))
    half = len(log) // 2
    asyncio.run(litter(broker, WARNINGS, GARBAGE))
    asyncio.run(litter(broker, PARTIALS, GARBAGE))
    asyncio.run(litter(broker, RULES, (*GARBAGE, encode_record(BROKEN), encode_record(HALF))))
    with worker(broker) as process:
        awaken(broker)
        asyncio.run(produce(broker, log[:half]))
        time.sleep(3)
        asyncio.run(litter(broker, WARNINGS, GARBAGE))
        asyncio.run(litter(broker, PARTIALS, GARBAGE))
        asyncio.run(litter(broker, CHANGELOG, GARBAGE))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    with worker(broker) as process:
        asyncio.run(produce(broker, log[half:], START + timedelta(hours=100)))
        settle(broker)
        assert process.poll() is None
        assert metrics(broker)["liaowang_watch_lag_records"] == 0
    wanted = expected(broker)
    assert len(wanted) > 40
    found = warned(broker)
    assert Counter({each: count for each, count in found.items() if each not in GARBAGE}) == wanted
    said = (broker.home / "watch.log").read_text()
    assert "watching stops" not in said
    record = aside.read(broker.home, "watch")
    assert record is not None
    told = {item.what.split()[0].partition("/")[0] for item in record.newest}
    assert told <= {PARTIALS, "rule", "epoch"} and record.count >= 2


def test_a_topic_made_anew_is_watched_from_its_beginning(broker: Settings) -> None:
    """Its offsets begin anew, and are not taken for those of the log before; evidence says which log it was."""
    with worker(broker):
        asyncio.run(produce(broker, air_log(hours=80, stations=12, seed=5), START + timedelta(hours=90)))
        settle(broker)
    before, first = warned(broker), asyncio.run(log_ids(broker.kafka, [AIR.topic]))[AIR.topic]
    with closing(KafkaAdminClient(bootstrap_servers=broker.kafka)) as admin:
        admin.delete_topics([AIR.topic])
        time.sleep(1)
    ensure_topics(broker, CONTRACTS)
    later = START + timedelta(days=30)
    with worker(broker):
        asyncio.run(
            produce(broker, air_log(hours=40, stations=12, seed=6, start=later), later + timedelta(hours=60))
        )
        settle(broker)
    second = asyncio.run(log_ids(broker.kafka, [AIR.topic]))[AIR.topic]
    anew = warned(broker) - before
    wanted = {raw for raw in expected(broker) if b'"trial.high"' in raw}
    assert len(wanted) > 10 and wanted <= set(anew) and first != second
    told = [json.loads(json.loads(raw)["data"]["evidence"]) for raw in (*before, *anew)]
    assert {each.get("log") for each in told} == {first, second, None}, "the second stage names no place"
    assert any(b'"trial.county"' in raw for raw in anew), "nor are its batches taken for old ones"


def test_rules_made_anew_end_the_worker_and_are_in_force_from_its_next_start(broker: Settings) -> None:
    """Epochs begin anew, below those that were kept: what is published then comes into force all the same."""
    epochs = RuleEpochReader(broker.kafka)
    before = epochs.latest()
    with worker(broker) as process:
        asyncio.run(produce(broker, air_log(hours=40, stations=8, seed=5), START + timedelta(hours=60)))
        settle(broker)
        with closing(KafkaAdminClient(bootstrap_servers=broker.kafka)) as admin:
            admin.delete_topics([RULES])
            time.sleep(1)
        shutil.rmtree(broker.home / "rules")
        ensure_topics(broker, CONTRACTS)
        first = publish_trial(broker, {"high": HIGH})
        assert epochs.latest() == first < before, "who ticks sees it at once"
        assert process.wait(180) != 0
    epochs.close()
    assert "rules: the topic was made anew" in (broker.home / "watch.log").read_text()
    later = START + timedelta(days=30)
    with worker(broker):
        awaken(broker)
        second = publish_trial(broker, {"high": HIGH.replace("115", "200")}, 2)
        assert second < before
        tick = encode_tick(id="change", clock=later, epoch=second)
        log = air_log(hours=40, stations=8, seed=6, start=later)
        asyncio.run(produce(broker, [("", tick), *log], later + timedelta(hours=60)))
        settle(broker)
    told = [json.loads(value)["data"] for value in warned(broker)]
    assert {each["rule_version"] for each in told if each["rule"] == "trial.high"} == {1, 2}
    late = {each["rule"] for each in told if each["at"] >= f"{later:%Y-%m-%d}"}
    assert "trial.high" in late and "trial.county" not in late, "what is not published any more is not judged"


def test_an_agent_that_cannot_go_on_ends_the_worker(broker: Settings) -> None:
    """A checkpoint that cannot be read is nobody's fault but its own, and a worker without it judges nothing."""
    with worker(broker) as process:
        awaken(broker)
        asyncio.run(produce(broker, air_log(hours=10, stations=4, seed=3)))
        settle(broker)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    records = asyncio.run(read(broker, CHANGELOG))
    keys = {record.key for some in records.values() for record in some}  # type: ignore[attr-defined]
    asyncio.run(overwrite(broker, CHANGELOG, {key: b"\xc1 no checkpoint" for key in keys}))
    with worker(broker) as process:
        asyncio.run(produce(broker, air_log(hours=1, stations=4, seed=4)))
        assert process.wait(180) != 0
    assert "watching stops" in (broker.home / "watch.log").read_text()


async def overwrite(settings: Settings, topic: str, values: dict[bytes, bytes]) -> None:
    """Write these values, by key, to every partition of a topic."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    try:
        for partition in await producer.partitions_for(topic):
            for key, value in values.items():
                await producer.send_and_wait(topic, value, key, partition=partition)
    finally:
        await producer.stop()


def test_workers_that_come_and_go_change_nothing(broker: Settings) -> None:
    log = air_log(hours=120, stations=40, seed=8)
    half = len(log) // 2
    with worker(broker):
        asyncio.run(produce(broker, log[:half]))
        with worker(broker):
            time.sleep(6)
            asyncio.run(produce(broker, log[half:]))
            time.sleep(1)
        asyncio.run(produce(broker, [], START + timedelta(hours=200)))
        settle(broker)
    assert warned(broker) == expected(broker)


def test_rules_over_two_feeds_are_judged_live_whichever_worker_dies(broker: Settings) -> None:
    """Both feeds in two workers, of which the first is killed while events flow."""
    epoch = publish_trial(broker, {"smog": SMOG, "unreported": UNREPORTED})
    air, cases = air_log(hours=90, stations=40, seed=10), cases_log(hours=90, seed=10)
    tick = encode_tick(id="rules", clock=START, epoch=epoch)
    halves = [
        [(AIR, [("", tick), *air[: len(air) // 2]]), (CASES, [("", tick), *cases[: len(cases) // 2]])],
        [(AIR, air[len(air) // 2 :]), (CASES, cases[len(cases) // 2 :])],
    ]
    with worker(broker) as first:
        awaken(broker)
        with worker(broker):
            for feed, log in halves[0]:
                asyncio.run(produce(broker, log, feed=feed))
            os.kill(first.pid, signal.SIGKILL)
            for feed, log in halves[1]:
                asyncio.run(produce(broker, log, START + timedelta(hours=200), feed))
            settle(broker, 90, (AIR, CASES))
    wanted = expected(broker, AIR, CASES)
    assert warned(broker) == wanted
    told_of = {(data["rule"], data["kind"], data["level"]) for data in map(data_of, wanted)}
    assert {("trial.smog", "raised", "red"), ("trial.smog", "recovered", "yellow")} <= told_of
    assert {("trial.unreported", kind, "red") for kind in ("raised", "recovered")} <= told_of


def data_of(value: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(value)["data"]
    return found


def metrics(settings: Settings) -> dict[str, float]:
    """The worker's metrics, each summed over its labels."""
    address = f"http://127.0.0.1:{settings.metrics_port}/metrics"
    known = {"Authorization": basic(settings.console_admin_password)}
    with urlopen(Request(address, headers=known), timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found: Counter[str] = Counter()
    for family in families:
        for sample in family.samples:
            found[sample.name] += sample.value
    return dict(found)


def rules_of(values: Counter[bytes]) -> set[bytes]:
    """The rules that have warned."""
    return {name.encode() for value in values for name in [json.loads(value)["data"]["rule"]]}


def test_workers_change_rules_at_the_same_tick_while_events_flow(broker: Settings) -> None:
    """Version 2 is published in the middle; the ticks that carry its epoch come a while later."""
    log = air_log(hours=90, stations=40, seed=9)
    third = len(log) // 3
    with worker(broker), worker(broker):
        awaken(broker)
        asyncio.run(produce(broker, log[:third]))
        epoch = publish_trial(
            broker, {"high": HIGH.replace("115", "200"), "county": COUNTY.replace("60", "50")}, 2
        )
        asyncio.run(produce(broker, log[third : 2 * third]))
        tick = encode_tick(id="change", clock=START + timedelta(hours=60), epoch=epoch)
        asyncio.run(produce(broker, [("", tick), *log[2 * third :]], START + timedelta(hours=200)))
        settle(broker)
    said = warned(broker)
    assert said == expected(broker)
    versions = Counter(
        (data["rule"], data["rule_version"]) for value in said for data in [json.loads(value)["data"]]
    )
    assert {
        (f"trial.{name}", version) for name in ("high", "county") for version in (1, 2)
    } <= versions.keys()
