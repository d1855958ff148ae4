"""`liaowang rejected` on the real servers: found, shown, corrected, counted once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from kafka.admin import KafkaAdminClient

from schemas.contract import load_contracts
from schemas.event import encode_event
from schemas.settings import Settings
from schemas.topics import REJECTED
from tests.dagster_project.test_command import liaowang

pytestmark = pytest.mark.stack
HEALTH = load_contracts()["health.infectious-disease"]
DATA = {"region": "330100", "disease": "influenza", "date": "2019-03-01", "cases": 4}


def event(id: str, **data: Any) -> bytes:
    time = datetime(2019, 3, 1, tzinfo=UTC)
    return encode_event(id=id, source="/rejected", type=HEALTH.event_type, time=time, data=DATA | data)


@pytest.fixture(scope="module")
def stack(kafka: str, warehouse: Settings) -> Iterator[Settings]:
    """The servers, with three rejected events and one accepted on record."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        wanted = {topic: {"num_partitions": 2} for topic in (HEALTH.topic, REJECTED)}
        missing = {name: how for name, how in wanted.items() if name not in admin.list_topics()}
        if missing:
            admin.create_topics(missing)
            admin.wait_for_topics(list(missing))
    raws = [event("r1", cases=-4), event("r2", region="310000"), b"{broken", event("r3", cases=-1)]
    reasons = [("cases", "minimum"), ("region", "region"), ("event", "json"), ("cases", "minimum")]
    columns = (
        "feed, topic, log_epoch, partition, offset, arrived, timeline, field, rule, value, id, source, raw"
    )
    rows = [
        (
            *(
                HEALTH.feed if at else HEALTH.event_type,
                HEALTH.topic,
                9,
                1,
                40 + at,
                datetime(2024, 3, 1 + at, tzinfo=UTC),
                "",
            ),
            *(*reason, "x", f"r{at + 1}" if at < 2 else "", "/rejected" if at < 2 else "", raw),
        )
        for at, (raw, reason) in enumerate(zip(raws[:3], reasons[:3], strict=True))
    ]
    client = Client(**warehouse.warehouse("admin"))
    try:
        client.execute(f"INSERT INTO landing.rejected ({columns}) VALUES", rows)
        yield warehouse
    finally:
        client.execute("DELETE FROM landing.rejected WHERE log_epoch = 9")
        client.execute("TRUNCATE TABLE landing.resent")
        client.disconnect()


def place(offset: int) -> str:
    return f"{HEALTH.topic}/9/1/{offset}"


def test_rejected_events_are_found_shown_corrected_and_marked(stack: Settings, tmp_path: Path) -> None:
    listed = json.loads(liaowang(stack, "rejected", "list", "--feed", HEALTH.feed, "--json").stdout)
    assert [item["ref"] for item in listed] == [place(42), place(41), place(40)]
    assert {item["state"] for item in listed} == {"open"}
    assert {item["feed"] for item in listed} == {HEALTH.feed}, "as it is called now, whatever it was then"
    by_type = liaowang(stack, "rejected", "list", "--feed", HEALTH.event_type, "--json")
    assert json.loads(by_type.stdout) == listed, by_type.stderr
    chosen = liaowang(
        stack, "rejected", "list", "--reason", "cases: minimum", "--day", "2024-03-01", "--json"
    )
    assert [item["id"] for item in json.loads(chosen.stdout)] == ["r1"]
    summary = json.loads(liaowang(stack, "rejected", "list", "--summary", "--json").stdout)
    assert {
        "feed": HEALTH.feed,
        "reason": "event: json",
        "day": "2024-03-03",
        "events": 1,
        "open": 1,
    } in summary
    assert liaowang(stack, "rejected", "show", place(42), "--raw").stdout == "{broken"
    shown = json.loads(liaowang(stack, "rejected", "show", place(40), "--json").stdout)
    assert (shown["reason"], shown["offset"], shown["raw"]) == (
        "cases: minimum",
        40,
        event("r1", cases=-4).decode(),
    )

    still = liaowang(stack, "rejected", "resend", place(40))
    assert (still.returncode, "cases: minimum" in still.stderr) == (3, True)
    done = liaowang(stack, "rejected", "resend", place(40), "--set", "cases=4")
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "sent: 1 events, 0 of them as corrections; still broken: 0",
    ), done.stderr
    corrected = tmp_path / "corrected.jsonl"
    corrected.write_bytes(event("r2", region="330200") + b"\n")
    assert liaowang(stack, "rejected", "resend", "--file", str(corrected)).returncode == 0
    open_ones = liaowang(stack, "rejected", "list", "--feed", HEALTH.feed, "--state", "open", "--json")
    left = json.loads(open_ones.stdout)
    assert [item["ref"] for item in left if item["log_epoch"] == 9] == [place(42)]
    assert sent(stack) == {b"r1": event("r1", cases=4), b"r2": event("r2", region="330200")}


def sent(stack: Settings) -> dict[bytes, bytes]:
    from tests.streams.land.rig import _read

    records = [record.value for record in _read(stack.kafka, HEALTH.topic)]
    return {json.loads(raw)["id"].encode(): raw for raw in records if b"/rejected" in raw}


def test_wrong_choices_are_told(stack: Settings) -> None:
    nowhere = liaowang(stack, "rejected", "show", place(99))
    assert (nowhere.returncode, "no event was rejected at that place" in nowhere.stderr) == (2, True)
    assert liaowang(stack, "rejected", "resend").returncode == 2
    assert "no feed 'x.y'" in liaowang(stack, "rejected", "list", "--feed", "x.y").stderr
