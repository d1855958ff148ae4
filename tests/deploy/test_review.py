"""A day of landed events reviewed: what was late, corrected or sent twice, against what watch said as it came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dagster_project.mart.rule_quality import store, stored
from dagster_project.warehouse import warehouse as connected
from deploy.cli import app
from deploy.environment import as_environment
from deploy.rule_history.review import Asked, Outcome, review
from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from schemas.event import encode_event, encode_tick
from schemas.fields import SHANGHAI
from schemas.settings import Settings
from streams.land.warehouse import Warehouse
from streams.watch.engine.flow import Flow
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.published import History
from streams.watch.publish.published import RuleRecord as Published
from streams.watch.trial.offline import OfflineRecord
from tests.streams.watch.trying import AIR, CONTRACTS, rule

pytestmark = pytest.mark.stack

DAY = date(2033, 3, 2)
"""A day that no other test lands on."""
MIDNIGHT = datetime(2033, 3, 2, tzinfo=SHANGHAI)
LOG = 60
NOW = datetime(2033, 3, 5, tzinfo=UTC)
HIGH = rule({"kind": "threshold", "field": "pm25"}, {"blue": 100, "red": 250}, rule="test.high")
MANY = rule({"kind": "count", "window": "PT1H"}, {"blue": 4}, subject=["{region}"], rule="test.many",
            where={"averaging": "24h"})  # fmt: skip
SILENT = rule({"kind": "absence"}, {"blue": "PT8H"}, rule="test.silent", where={"averaging": "1h"})
RULES = {each.id: each for each in (HIGH, MANY, SILENT)}
FIRST = 900_000
"""Offset of the first rule: other tests land ticks with the epochs of a topic of their own."""
HISTORY = History(
    (FIRST + number, Published(rule=each.id, version=1, text=each.text, at=NOW))
    for number, each in enumerate(RULES.values())
)
EPOCH = HISTORY.epoch


@dataclass(frozen=True)
class Came:
    """One record of the log: when it came, when it occurred, and the event; None for a tick."""

    arrived: datetime
    time: datetime
    id: str = ""
    station: str = "S1"
    value: float = 20
    corrects: str = ""
    timeline: str = ""
    averaging: str = "1h"
    final: bool = False

    @property
    def raw(self) -> bytes:
        if not self.id:
            return encode_tick(
                id="tick", clock=self.time, timeline=self.timeline, final=self.final, epoch=EPOCH
            )
        data = {"station": self.station, "region": "330106", "averaging": self.averaging, "pm25": self.value}
        return encode_event(
            id=self.id, source="/t", type=CONTRACTS[AIR].event_type, time=self.time, data=data,
            corrects=self.corrects, timeline=self.timeline,
        )  # fmt: skip


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def on_time(hours: float, id: str, station: str = "S1", value: float = 20, **more: Any) -> Came:
    return Came(at(hours), at(hours), id, station, value, **more)


def day_of_readings() -> list[Came]:
    """All that came, in the order of the log, and a tick each hour."""
    log = [
        on_time(hour, f"{station}-{hour}", station)
        for hour in range(-6, 52, 3)
        for station in ("S1", "S2", "S3")
    ]
    log += [
        on_time(8.25, "warned", "S3", 120),
        on_time(9.25, "wrong", "S2", 300),
        Came(at(9.5), at(9.25), "right", "S2", 30, corrects="wrong"),
        Came(at(9.6), at(8.25), "warned", "S3", 120),
        Came(at(50), at(13.5), "late", "S1", 260),
        on_time(23.75, "edge", "S3", 130),
    ]
    counted = [on_time(14 + n / 10, f"c{n}", f"C{n}", averaging="24h") for n in range(4)]
    counted[2] = replace(counted[2], arrived=at(51))
    ticks = [Came(at(hour + 0.9), at(hour + 0.9)) for hour in range(-6, 53)]
    return sorted([*log, *counted, *ticks], key=lambda each: each.arrived)


@pytest.fixture(scope="module")
def house(warehouse: Settings) -> Iterator[Warehouse]:
    """A log in the warehouse, with what watch said of it as it came."""
    connection = Warehouse(warehouse.warehouse("service"))
    log = day_of_readings()
    land(connection, log)
    say(connection, watched(log))
    ledger(connection, len(log))
    yield connection
    connection.close()


def land(house: Warehouse, log: Sequence[Came], first: int = 0) -> None:
    contract = CONTRACTS[AIR]
    events, ticks = [], []
    for offset, each in enumerate(log, first):
        place = {
            "log_epoch": LOG,
            "partition": 0,
            "offset": offset,
            "arrived": each.arrived,
            "timeline": each.timeline,
        }
        if not each.id:
            ticks.append(
                place | {"topic": contract.topic, "clock": each.time, "final": each.final, "epoch": EPOCH}
            )
            continue
        events.append(
            place
            | {
                "event_day": each.time.astimezone(SHANGHAI).date(), "late": 0, "source": "/t", "id": each.id,
                "time": each.time, "corrects": each.corrects, "station": each.station, "region": "330106",
                "averaging": each.averaging, "pm25": each.value, "raw": each.raw,
            }
        )  # fmt: skip
    insert(house, contract.table, events)
    insert(house, "tick", ticks)


def insert(house: Warehouse, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        house.insert(table, {name: [row[name] for row in rows] for name in rows[0]})


def ledger(house: Warehouse, count: int) -> None:
    row = {
        "topic": CONTRACTS[AIR].topic, "feed": AIR, "log_epoch": LOG, "partition": 0, "first": 0,
        "last": count - 1, "accepted": count, "rejected": 0, "control": 0,
        "watermarks": {"": at(52)}, "arrived_last": at(52),
    }  # fmt: skip
    insert(house, "ledger", [row])


def watched(log: Sequence[Came]) -> list[Transition]:
    """What watch says of the records as they come."""
    found: list[Transition] = []
    flow = Flow(CONTRACTS, list(RULES.values()), {AIR: 1})
    entries = [OfflineRecord(n, int(each.arrived.timestamp() * 1000), each.raw) for n, each in enumerate(log)]
    flow.observe(AIR, 0, entries, found.append)
    return found


def say(house: Warehouse, transitions: Sequence[Transition]) -> None:
    """Land warnings."""
    contract: Contract = CONTRACTS["duty.warning"]
    decode, rows = Decoder(contract).decode, []
    for offset, each in enumerate(transitions):
        raw = encode_warning(each, RULES)
        event = decode(raw)
        rows.append(
            {name: getattr(event.data, name) for name in (field.name for field in contract.fields)}
            | {
                "event_day": event.time.astimezone(SHANGHAI).date(), "log_epoch": LOG, "partition": 0,
                "offset": offset, "arrived": event.time, "timeline": event.timeline, "late": 0,
                "source": event.source, "id": event.id, "time": event.time, "corrects": "", "raw": raw,
            }
        )  # fmt: skip
    insert(house, contract.table, rows)


def reviewed(settings: Settings, **more: Any) -> Outcome:
    return review(settings, CONTRACTS, HISTORY, Asked(DAY, DAY, **more), NOW)


def told(found: Outcome) -> list[tuple[str, str, str, str]]:
    return sorted((each.rule, each.level, each.subject, each.verdict) for each in found.warnings)


EXPECTED = [
    ("test.high", "blue", "S1", "missed"),
    ("test.high", "blue", "S2", "spurious"),
    ("test.high", "blue", "S3", "agreed"),
    ("test.high", "blue", "S3", "agreed"),
    ("test.high", "red", "S1", "missed"),
    ("test.high", "red", "S2", "spurious"),
    ("test.many", "blue", "330106", "missed"),
]


def test_late_corrected_and_repeated_events(warehouse: Settings, house: Warehouse) -> None:
    found = reviewed(warehouse)
    assert told(found) == EXPECTED
    (late,) = [each for each in found.warnings if each.subject == "S1" and each.level == "red"]
    assert (late.known_now, late.known_then, late.region) == (at(13.5), None, "330106")
    rows = {(row.rule, row.level): row for row in found.days if not row.timeline}
    blue = rows["test.high", "blue"]
    assert (blue.agreed, blue.missed, blue.spurious, blue.version, blue.complete) == (2, 1, 1, 1, True)
    silent = rows["test.silent", "blue"]
    assert (silent.agreed, silent.missed, silent.spurious) == (0, 0, 0)
    assert (
        silent.events
        == blue.events
        == sum(1 for each in day_of_readings() if each.id and each.time.date() == DAY)
    )


def test_ticks_of_rules_that_were_never_published_here_change_none(
    warehouse: Settings, house: Warehouse
) -> None:
    """As after the topic of rules was made anew: what is landed names epochs of the old one."""
    tick = {
        "log_epoch": LOG, "partition": 0, "offset": 20_000, "arrived": at(-9), "timeline": "", "final": False,
        "topic": CONTRACTS[AIR].topic, "clock": at(-9), "epoch": EPOCH + 7,
    }  # fmt: skip
    insert(house, "tick", [tick])
    found = reviewed(warehouse)
    assert (told(found), found.unknown) == (EXPECTED, (EPOCH + 7,))


def test_of_one_rule_alone_the_same(warehouse: Settings, house: Warehouse) -> None:
    found = reviewed(warehouse, rule="test.many")
    assert told(found) == EXPECTED[-1:]
    assert {row.rule for row in found.days} == {"test.many"}
    with pytest.raises(
        Misdeclared, match=r"no\.such: rule: was never published; there are test\.high, test\.many"
    ):
        reviewed(warehouse, rule="no.such")


def test_kept_and_reviewed_again_the_latest_counts(warehouse: Settings, house: Warehouse) -> None:
    first = reviewed(warehouse)
    with connected(warehouse) as open:
        store(open, first.days, first.warnings)
        store(open, first.days, first.warnings)
        days, warnings = stored(open, DAY, DAY)
        assert sorted(days, key=repr) == sorted(first.days, key=repr)
        assert Counter(warnings) == Counter(first.warnings)
        later = [replace(row, missed=0, reviewed=NOW + timedelta(days=1)) for row in first.days]
        store(open, later, [])
        again, none = stored(open, DAY, DAY, "test.high")
        assert [row.missed for row in again] == [0] * len(again) and none == []
        columns = "should, were, agreed, missed, spurious, median_delay"
        shown = open.rows(
            f"SELECT {columns} FROM mart.rule_quality"
            " WHERE rule = 'test.high' AND level = 'blue' AND timeline = ''"
        )
        assert shown == [(2, 3, 2, 0, 1, None)]


def test_a_replay_is_reviewed_by_itself(warehouse: Settings, house: Warehouse) -> None:
    """Its clock says what it has come to; live events of that day do not mix in."""
    log = [
        replace(each, arrived=at(60), timeline="old")
        for each in (on_time(2, "a"), on_time(3, "b", value=120), Came(at(3), at(24), final=True))
    ]
    land(house, log, first=10_000)
    found = reviewed(warehouse)
    mine = [each for each in found.warnings if each.timeline == "old"]
    assert [(each.rule, each.verdict) for each in mine] == [
        ("test.high", "missed"),
        ("test.silent", "missed"),
    ]
    assert (
        told(replace(found, warnings=tuple(each for each in found.warnings if not each.timeline))) == EXPECTED
    )


def test_what_is_more_than_a_day_is_one_row_a_day(warehouse: Settings, house: Warehouse) -> None:
    days = review(warehouse, CONTRACTS, HISTORY, Asked(DAY, DAY + timedelta(days=1)), NOW)
    assert (
        told(replace(days, warnings=tuple(w for w in days.warnings if w.day == DAY and not w.timeline)))
        == EXPECTED
    )
    assert {row.day for row in days.days if not row.timeline} == {DAY, DAY + timedelta(days=1)}
    plain = json.loads(json.dumps([row.as_json() for row in days.days]))
    assert {"precision", "recall", "median_delay_seconds", "should", "were"} <= plain[0].keys()


def liaowang(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(app, ["rules", "backtest", *map(str, arguments)], catch_exceptions=False)


def test_two_versions_side_by_side_on_the_same_log(
    warehouse: Settings, house: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older version warns from 100 on, the newer one from 125 on, and only once that has held for an hour."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(HIGH.text, encoding="utf-8")
    text = HIGH.text.replace("version: 1", "version: 2").replace("blue: 100", "blue: 125")
    new.write_text(text.replace("duty_role: duty-desk", "duty_role: health-duty"), encoding="utf-8")
    span = ("--from", DAY, "--to", DAY, "--timeline", "live", "--json")
    one = json.loads(liaowang(warehouse, monkeypatch, old, *span).stdout)
    assert [(each["new"]["subject"], each["new"]["level"]) for each in one["episodes"]] == [
        ("S3", "blue"),
        ("S2", "red"),
        ("S3", "blue"),
    ]
    assert one["old"] is None and {each["old"] for each in one["episodes"]} == {None}
    for processes in (1, 2):
        picture = tmp_path / f"{processes}.html"
        told = liaowang(
            warehouse,
            monkeypatch,
            new,
            *span,
            "--against",
            old,
            "--picture",
            picture,
            "--processes",
            processes,
        )
        both = json.loads(told.stdout)
        verdicts = [(each["verdict"], (each["new"] or each["old"])["subject"]) for each in both["episodes"]]
        assert verdicts == [("gone", "S3"), ("same", "S2"), ("same", "S3")]
        rows = {row["level"]: row for row in both["regions"]}
        assert rows["red"]["region"] == "杭州市" and (rows["red"]["same"], rows["blue"]["gone"]) == (1, 1)
        assert [(each["role"], each["pushes"]) for each in both["load"]] == [
            ("health-duty", 4),
            ("duty-desk", 6),
        ]
        assert both["load"][0]["by_day"] == {"2033-03-02": 3, "2033-03-03": 1}
        assert picture.read_text(encoding="utf-8").count("<rect ") == 5
        assert "back-test" in told.stderr


def test_the_end_of_the_last_day_is_judged_though_the_rule_waits(
    warehouse: Settings, house: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = tmp_path / "waiting.yaml"
    waiting.write_text(HIGH.text + "wait: PT2H\n", encoding="utf-8")
    span = ("--from", DAY, "--to", DAY, "--timeline", "live", "--json")
    found = json.loads(liaowang(warehouse, monkeypatch, waiting, *span).stdout)
    assert found["episodes"][-1]["new"]["start"] == at(23.75).astimezone(UTC).isoformat(
        timespec="milliseconds"
    )


def test_a_table_for_people_and_what_is_wrong_in_one_line(
    warehouse: Settings, house: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "high.yaml"
    file.write_text(HIGH.text, encoding="utf-8")
    shown = liaowang(warehouse, monkeypatch, file, "--from", DAY, "--to", DAY, "--timeline", "live").stdout
    told = " ".join(shown.split())
    assert "杭州市" in told and "6 pushes to duty-desk, 6.00 a day, at most 5 on 2033-03-02" in told
    nothing = liaowang(
        warehouse, monkeypatch, file, "--from", "2034-01-01", "--to", "2034-01-02", "--warm-up", "0"
    )
    assert "ecology.air-quality: no events are landed of these days" in nothing.stderr
    same = liaowang(warehouse, monkeypatch, file, "--from", DAY, "--to", DAY, "--against", file)
    assert "no differences" in same.stdout
    for wrong, words in (
        (("--from", "2033-13-01"), "must be a day"),
        (("--from", DAY, "--to", "2033-01-01"), "is before"),
        (("--picture", tmp_path / "a.gif"), "must end in .html or .png"),
        (("--against", tmp_path / "b.yaml"), "b.yaml: file: cannot be read"),
    ):
        with pytest.raises(Misdeclared, match=words):
            liaowang(warehouse, monkeypatch, file, *wrong)
