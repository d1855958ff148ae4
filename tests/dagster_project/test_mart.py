"""What BI sees: the marts and nothing else, over native and HTTP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import DatabaseError

from dagster_project.mart.dimensions import departments
from dagster_project.mart.tables import marts, visible
from dagster_project.mart.views import feed_mart
from deploy.local.warehouse_config import users_config
from deploy.provision.bi_catalogue import DOCUMENT, catalogue, written
from schemas.contract import load_contracts
from schemas.contract_model import Contract, Field
from schemas.ddl.render import view
from schemas.department_yaml import load_departments
from schemas.errors import Misdeclared
from schemas.in_use import FILES, departments_of
from schemas.settings import HOST, Settings
from tests.dagster_project.house import AIR, INDICATORS, House, reading

DAY = date(2024, 3, 1)
CONTRACTS = list(load_contracts().values())
DEPARTMENT = """departments:
  - department: a
    name: {zh: 甲'局, en: A\\B}
    regions: ['330100', '330203']
    contact: {office: {zh: 值班三处, en: third office}, phone: '0571-1234567', email: a@b.cn, stewards: [li.lei]}
"""
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


@contextmanager
def asking(settings: Settings, protocol: str, user: str) -> Iterator[Ask]:
    """Run a statement as a user, as a BI tool would."""
    access = settings.warehouse(user)
    if protocol == "native":
        client = Client(**access)
        yield lambda sql: list(client.execute(sql))
        client.disconnect()
        return
    web = clickhouse_connect.get_client(
        host=HOST, port=settings.warehouse_http_port, username=user, password=access["password"]
    )
    yield lambda sql: list(web.query(sql).result_rows)
    web.close()


def publish(house: House) -> None:
    """Two counties' readings and the figure of their city, as release 1."""
    house.land(reading("a", DAY, 1), reading("b", DAY, 100, data={"region": "330106", "pm25": 100.0}))
    attempt = house.attempt()
    house.build(attempt)
    house.figure(attempt, INDICATORS["ecology.good-air-days"])
    house.publish(attempt)


@pytest.fixture(params=["native", "http"])
def ask(request: pytest.FixtureRequest, house: House) -> Iterator[Ask]:
    """Run a statement as `bi`; a release is there to look at."""
    publish(house)
    with asking(house.settings, request.param, "bi") as run:
        yield run


@pytest.mark.stack
def test_bi_reads_marts(ask: Ask) -> None:
    assert len(ask("SELECT * FROM mart.ecology_air_quality WHERE day = '2024-03-01'")) == 2
    replayed = "SELECT count() FROM mart.ecology_air_quality WHERE timeline"
    assert ask(f"{replayed} = ''") == [(2,)] and ask(f"{replayed} != ''") == [(0,)]
    figures = ask(
        "SELECT region, value, numerator, denominator, level, title_zh, release_seq"
        " FROM mart.indicator WHERE NOT missing ORDER BY region"
    )
    title = INDICATORS["ecology.good-air-days"].title_zh
    assert figures == [
        ("330000", 100.0, 1.0, 1.0, "", title, 1),
        ("330100", 100.0, 1.0, 1.0, "持平", title, 1),
    ]
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
    tables = client.execute("SELECT name FROM system.tables WHERE database = 'mart' AND comment = ''")
    columns = client.execute(
        "SELECT table, name FROM system.columns WHERE database = 'mart' AND comment = ''"
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
    texts = " ".join(map(view, feed_mart(private)))
    assert "open" in texts
    assert "phone" not in texts
    assert "`raw`" not in " ".join(map(view, marts().views))


REGION_ROWS = (
    ("ecology_air_quality", "region"),
    ("ecology_air_quality_at(release = 1)", "region"),
    ("ecology_good_air_days", "region"),
    ("indicator", "region"),
    ("indicator_at(release = 1)", "region"),
)


@pytest.mark.stack
@pytest.mark.parametrize("protocol", ["native", "http"])
def test_the_user_of_a_region_sees_its_rows_and_no_others(house: House, protocol: str) -> None:
    publish(house)
    seen = {}
    for code in ("330110", "330100", "330000"):
        with asking(house.settings, protocol, f"bi_{code}") as ask:
            seen[code] = [
                sorted({region for (region,) in ask(f"SELECT {column} FROM mart.{view}")})
                for view, column in REGION_ROWS
            ]
            assert ask("SELECT count() FROM mart.region") == [(102,)]
            assert ask("SELECT count() FROM mart.department WHERE part_of = ''") != [(0,)]
            assert ask("SELECT count() FROM mart.duty_warning") == [(0,)]
            for forbidden in (*FORBIDDEN, "SELECT * FROM mart.provenance"):
                with pytest.raises((ServerException, DatabaseError)):
                    ask(forbidden)
    assert seen["330110"] == [["330110"], ["330110"], [], [], []]
    assert seen["330100"] == [["330106", "330110"]] * 2 + [["330100"]] * 3
    assert [len(found) for found in seen["330000"]] == [2, 2, 12, 12, 12]


def test_an_account_of_no_region_stops_the_start() -> None:
    with pytest.raises(Misdeclared, match="339999"):
        users_config(Settings(region_accounts="339999=secret"))


@pytest.mark.stack
def test_facts_join_the_dimensions_without_losing_or_doubling_a_row(ask: Ask) -> None:
    joined = (
        "FROM mart.indicator AS f JOIN mart.region AS r ON r.code = f.region"
        " JOIN mart.calendar AS d ON d.day = f.day JOIN mart.indicator_definition AS i USING (indicator)"
    )
    assert ask(f"SELECT count() {joined}") == ask("SELECT count() FROM mart.indicator") == [(12,)]
    assert ask(
        f"SELECT r.name, r.parent_name, d.quarter_label, i.owner, f.value {joined} WHERE f.region = '330100'"
    ) == [("杭州市", "浙江省", "2024-Q1", "ecology", 100.0)]
    assert ask("SELECT count(), uniqExact(code), sum(mountain) FROM mart.region") == [(102, 102, 26)]


@pytest.mark.stack
def test_departments_are_a_dimension_without_whom_to_call(ask: Ask) -> None:
    known = departments_of(FILES)
    feeds = {each.id: sorted(c.feed for c in CONTRACTS if c.department == each.id) for each in known}
    assert ask("SELECT * FROM mart.department ORDER BY department") == [
        (each.id, each.name["zh"], each.name["en"], each.part_of, list(each.regions), feeds[each.id])
        for each in sorted(known, key=lambda each: each.id)
    ]
    joined = "FROM mart.provenance_input AS f JOIN mart.department AS d USING (department)"
    assert ask(f"SELECT f.feed, d.name_zh, has(d.feeds, f.feed) {joined}") == [
        ("ecology.air-quality", known.name("ecology"), True)
    ]
    owner = "JOIN mart.department AS d ON d.department = i.owner"
    assert ask(f"SELECT count() FROM mart.indicator_definition AS i {owner}") == ask(
        "SELECT count() FROM mart.indicator_definition"
    )


def test_no_contact_of_a_department_reaches_mart(tmp_path: Path) -> None:
    path = tmp_path / "departments.yaml"
    path.write_text(DEPARTMENT, encoding="utf-8")
    text = view(departments(load_departments(path), ()))
    assert "CAST(['330100', '330203'] AS Array(String))" in text and "CAST([] AS Array(String))" in text
    for secret in ("值班三处", "third office", "0571-1234567", "a@b.cn", "li.lei"):
        assert secret not in text


@pytest.mark.stack
def test_the_calendar_knows_weeks_ends_and_worked_days(ask: Ask) -> None:
    assert ask("SELECT count(), uniqExact(day), max(day) - min(day) + 1 FROM mart.calendar") == [(9496,) * 3]
    days = "'2024-02-04', '2024-02-12', '2024-02-29', '2024-12-31', '2039-01-04'"
    assert ask(
        "SELECT weekday, iso_week, iso_year, month_end, quarter_end, year_end, toString(year_ago), workday"
        f" FROM mart.calendar WHERE day IN ({days}) ORDER BY day"
    ) == [
        (7, 5, 2024, 0, 0, 0, "2023-02-04", 1),
        (1, 7, 2024, 0, 0, 0, "2023-02-12", 0),
        (4, 9, 2024, 1, 0, 0, "2023-02-28", 1),
        (2, 1, 2025, 1, 1, 1, "2023-12-31", 1),
        (2, 1, 2039, 0, 0, 0, "2038-01-04", None),
    ]


@pytest.mark.stack
def test_a_figure_s_way_is_a_mart_too(ask: Ask) -> None:
    assert ask(
        "SELECT indicator, published, code, passed, offsets['feed.ecology.air-quality/0/0']"
        " FROM mart.provenance"
    ) == [("ecology.good-air-days", 1, "test", 1, 2)]
    assert ask(
        "SELECT feed, department, topic, toString(first), toString(last), offsets FROM mart.provenance_input"
    ) == [
        (
            *("ecology.air-quality", "ecology", "feed.ecology.air-quality", "2024-03-01", "2024-03-01"),
            {"feed.ecology.air-quality/0/0": 2},
        )
    ]
    assert ask("SELECT id, partition, offset FROM mart.ecology_air_quality ORDER BY offset") == [
        ("a", 0, 0),
        ("b", 0, 1),
    ]


@pytest.mark.stack
def test_no_column_of_mart_is_a_personal_field_or_raw_bytes(house: House) -> None:
    personal = {
        (contract.table, field.name)
        for contract in load_contracts().values()
        for field in contract.fields
        if field.classification == "personal" and not field.pseudonymised
    }
    columns = house.warehouse.rows("SELECT table, name FROM system.columns WHERE database = 'mart'")
    assert {(table.removesuffix("_at"), name) for table, name in columns} & personal == set()
    assert not [name for _, name in columns if name == "raw"]


def test_every_view_of_a_region_is_one_of_mart() -> None:
    made = {each.name for each in marts().views if each.database == "mart"}
    regional, shared = visible()
    assert {*regional, *shared} <= made


@pytest.mark.stack
def test_the_documented_schema_is_the_one_there_is(house: House) -> None:
    """`python -m deploy.provision.bi_catalogue` writes it anew, from a running stack."""
    with asking(house.settings, "native", "bi") as ask:
        assert written(DOCUMENT.read_text(encoding="utf-8")) == catalogue(ask)
