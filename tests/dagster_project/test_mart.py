"""What BI sees: the marts and nothing else, over native and HTTP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import DatabaseError

from dagster_project.marts import feed_mart
from dagster_project.tables import statements
from schemas.contract_model import Contract, Field
from schemas.settings import HOST
from tests.dagster_project.house import AIR, INDICATORS, House, reading

DAY = date(2024, 3, 1)
Ask = Callable[[str], list[tuple[Any, ...]]]
FORBIDDEN = (
    "SELECT * FROM landing.ecology_air_quality",
    "SELECT * FROM landing.rejected",
    "SELECT * FROM built.ecology_air_quality",
    "SELECT * FROM quality.quarantine",
    "SELECT * FROM release.pointer",
    "SELECT * FROM system.query_log",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "CREATE TABLE mart.x (a UInt8) ENGINE = Memory",
    "DROP VIEW mart.region",
    "INSERT INTO release.pointer VALUES (9, 'x', '2024-03-01', 'x')",
)


@pytest.fixture(params=["native", "http"])
def ask(request: pytest.FixtureRequest, house: House) -> Iterator[Ask]:
    """Run a statement as `bi`, as a BI tool would; two releases are there to look at."""
    house.land(reading("a", DAY, 1), reading("b", DAY, 100, data={"region": "330106", "pm25": 100.0}))
    attempt = house.attempt()
    house.build(attempt)
    house.figure(attempt, INDICATORS["ecology.good-air-days"])
    house.publish(attempt)
    access = house.settings.warehouse("bi")
    if request.param == "native":
        client = Client(**access)
        yield lambda sql: list(client.execute(sql))
        client.disconnect()
    else:
        port = house.settings.warehouse_http_port
        web = clickhouse_connect.get_client(host=HOST, port=port, username="bi", password=access["password"])
        yield lambda sql: list(web.query(sql).result_rows)
        web.close()


@pytest.mark.stack
def test_bi_reads_marts(ask: Ask) -> None:
    assert len(ask("SELECT * FROM mart.ecology_air_quality WHERE day = '2024-03-01'")) == 2
    figures = ask(
        "SELECT region, value, numerator, denominator, level, title_zh, release_seq"
        " FROM mart.indicator WHERE NOT missing ORDER BY region"
    )
    title = INDICATORS["ecology.good-air-days"].title_zh
    assert figures == [
        ("330000", 100.0, 1.0, 1.0, "", title, 1),
        ("330100", 100.0, 1.0, 1.0, "持平", title, 1),
    ]
    assert ask("SELECT count() FROM mart.indicator_at(release = 0)") == [(0,)]
    assert ask("SELECT level, count() FROM mart.region GROUP BY level ORDER BY 2") == [
        ("province", 1),
        ("city", 11),
        ("county", 90),
    ]
    assert [row[:2] for row in ask("SELECT seq, parent FROM mart.release")] == [(1, 0)]


@pytest.mark.stack
@pytest.mark.parametrize("sql", FORBIDDEN)
def test_bi_reads_nothing_else_and_changes_nothing(ask: Ask, sql: str) -> None:
    with pytest.raises((ServerException, DatabaseError)):
        ask(sql)


@pytest.mark.stack
def test_every_mart_and_its_columns_say_what_they_are(house: House) -> None:
    client = Client(**house.settings.warehouse("bi"))
    marts = "database = 'mart' AND NOT endsWith({}, '_at')"
    tables = client.execute(f"SELECT name FROM system.tables WHERE {marts.format('name')} AND comment = ''")
    columns = client.execute(
        f"SELECT table, name FROM system.columns WHERE {marts.format('table')} AND comment = ''"
    )
    client.disconnect()
    assert (tables, columns) == ([], [])


def test_personal_fields_and_raw_bytes_do_not_reach_mart() -> None:
    private = Contract(
        feed="a.b",
        version="1.0.0",
        topic="t",
        department="d",
        description="x",
        fields=(Field("open", "string"), Field("phone", "string", classification="personal")),
        subject=("open",),
        lateness=AIR.lateness,
        retention=AIR.retention,
    )
    texts = " ".join(feed_mart(private))
    assert "open" in texts
    assert "phone" not in texts
    assert "`raw`" not in " ".join(statements())
