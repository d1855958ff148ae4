"""While 100 releases go by: no statement sees two of them mixed, and nobody sees what failed its gate."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import uuid4

import pytest
from clickhouse_driver import Client

from dagster_project.build.feed import BUILD_COLUMNS
from dagster_project.days.attempt import begin
from dagster_project.days.spans import Span
from quality.gate import VERDICT_COLUMNS
from schemas.findings import Finding, Found, encode
from tests.dagster_project.house import AIR, CASES, HEALTH, House, reading

pytestmark = pytest.mark.stack
DAY, NEXT = date(2024, 3, 1), date(2024, 3, 2)
RELEASES, FAILED = 100, 500
"""How many releases; what a build that failed its gate would show is at least FAILED."""
MARTS = ("ecology_air_quality", "health_infectious_disease")
TOGETHER = [
    "SELECT toFloat64(pm25) FROM mart.{0} UNION ALL SELECT toFloat64(cases) FROM mart.{1}"
    " UNION ALL SELECT toFloat64(release_seq) FROM mart.{0}",
    "SELECT a.pm25, toFloat64(b.cases) FROM mart.{0} AS a CROSS JOIN mart.{1} AS b",
    "SELECT (SELECT max(pm25) FROM mart.{0}), (SELECT toFloat64(min(cases)) FROM mart.{1})",
]
"""Statements over both tables and both days; every number in their answer is that of the release."""
PINNED = [
    "SELECT toFloat64(pm25) FROM mart.{0}_at(release = {{n}})",
    "SELECT toFloat64(cases) FROM mart.{1}_at(release = {{n}})",
    "SELECT toFloat64(release_seq) FROM mart.{0}_at(release = {{n}})",
]
Ask = Callable[[str], Iterable[float]]
Look = Callable[[Ask], set[float]]


@pytest.mark.timeout(600)
def test_while_100_releases_go_by(house: House) -> None:
    """Releases n = 1..100 set every row of two tables on two days to n; between them builds fail their gate."""
    _candidates(house)
    over, looks = threading.Event(), [_together(sql) for sql in TOGETHER]
    asks = [native, native, http, native, http]
    looks += [_pinned, _pinned]
    seen: list[list[set[float]]] = [[] for _ in looks]

    def reader(at: int) -> None:
        client = Client(**house.settings.warehouse("bi"))
        ask = asks[at](house, client)
        try:
            while not over.is_set():
                seen[at].append(looks[at](ask))
                over.wait(0.05)  # leave the engine to the releases
        finally:
            client.disconnect()

    with ThreadPoolExecutor(len(looks)) as pool:
        running = [pool.submit(reader, at) for at in range(len(looks))]
        try:
            for n in range(1, RELEASES + 1):
                if n % 5 == 0:
                    _fail(house, n)
                assert _publish(house, f"good-{n}") == n
        finally:
            over.set()
        for future in running:
            future.result()
    for answers in seen:
        assert [numbers for numbers in answers if len(numbers) > 1] == []
        numbers = {number for found in answers for number in found}
        assert len(numbers) > 10 and max(numbers) <= RELEASES


def _together(sql: str) -> Look:
    """What one statement shows."""
    return lambda ask: set(ask(sql.format(*MARTS)))


def _pinned(ask: Ask) -> set[float]:
    """What several statements show that are pinned to one release."""
    current = list(ask("SELECT seq FROM mart.current_release"))
    return {number for n in current for sql in PINNED for number in ask(sql.format(*MARTS).format(n=int(n)))}


def native(_: House, client: Client) -> Ask:
    """The numbers of an answer over the native protocol, but for those of before the first release."""
    return lambda sql: [value for row in client.execute(sql) for value in row if value]


def http(house: House, _: Client) -> Ask:
    """The same over HTTP."""
    access = house.settings.warehouse("bi")
    headers = {"X-ClickHouse-User": access["user"], "X-ClickHouse-Key": access["password"]}
    url = f"http://127.0.0.1:{house.settings.warehouse_http_port}/"

    def ask(sql: str) -> list[float]:
        asked = urllib.request.Request(url, sql.encode(), headers)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            words = answer.read().decode().split()
        return [float(word) for word in words if word not in ("0", "\\N")]

    return ask


def _candidates(house: House) -> None:
    """The rows of all builds, as a build would leave them: one event a table and day is the pattern of each."""
    for day in (DAY, NEXT):
        house.land(reading(f"a{day}", day, 1))
        house.land(reading(f"h{day}", day, 0, data=CASES | {"cases": 1}), contract=HEALTH, base=CASES)
    pattern = house.attempt(Span(DAY, NEXT))
    for contract, field in ((AIR, "pm25"), (HEALTH, "cases")):
        house.build(pattern, contract)
        for kind, base in (("good", 0), ("bad", FAILED)):
            house.warehouse.rows(
                f"INSERT INTO built.{contract.table} SELECT * EXCEPT (n)"
                f" REPLACE (concat('{kind}-', toString(n)) AS build_id, {base} + n AS {field})"
                f" FROM (SELECT * FROM built.{contract.table} WHERE build_id = '{pattern.build_id}') AS pattern"
                f" CROSS JOIN (SELECT number + 1 AS n FROM numbers({RELEASES})) AS times"
            )
    names = [f"{kind}-{n}" for kind in ("good", "bad") for n in range(1, RELEASES + 1)]
    rows = [
        (table, day, name, 1, 0, 0, 0, f"{name} {table} {day}", 1, "1.0.0", {})
        for name in names
        for table in MARTS
        for day in (DAY, NEXT)
    ]
    house.warehouse.insert("release.build", BUILD_COLUMNS, rows)


def _publish(house: House, name: str, passed: tuple[bool | None, bool | None] = (True, True)) -> int | None:
    """Publish a build with these verdicts on its tables; None is no verdict."""
    attempt = begin(house.warehouse, name, Span(DAY, NEXT), [AIR, HEALTH], house.now)
    broken = encode(Finding(Found.TOLD, {"words": uuid4().hex}))
    verdicts = [
        (table, day, name, int(verdict), "", "", 1, 1, [], [] if verdict else [broken], house.now)
        for table, verdict in zip(MARTS, passed, strict=True)
        for day in (DAY, NEXT)
        if verdict is not None
    ]
    house.warehouse.insert("quality.verdict", VERDICT_COLUMNS, verdicts)
    return house.publish(attempt).seq


def _fail(house: House, n: int) -> None:
    """A build none of whose tables passed: by verdict, or for want of one."""
    no = (False, None, False)
    assert _publish(house, f"bad-{n}", (no[n % 3], no[(n + 1) % 3])) is None
