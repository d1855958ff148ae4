"""No expression of a reader sees a row that is not his: with and without such rows, the answers are the same.

Rows that are not his: another region's, of a build that no release shows, of a release that was not asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import DatabaseError

from dagster_project.mart.barrier import BEFORE
from dagster_project.warehouse import Warehouse
from deploy.local.bi_settings import ALWAYS, FREE, LIMITED
from schemas.errors import Misdeclared
from schemas.settings import HOST, Settings
from tests.dagster_project.house import House

DAY = date(2024, 3, 1)
OWN, OTHER = "330110", "330106"
THROWN, READONLY, CONSTRAINED = 395, 164, 452
Outcome = tuple[str, object]
Ask = Callable[[str], Outcome]

MARTS = {
    "ecology_air_quality": "pm25 = 666",
    "ecology_air_quality_at(release = 1)": "pm25 = 666",
    "ecology_good_air_days": "value = 666",
    "indicator": "value = 666",
    "indicator_at(release = 1)": "value = 666",
    "ranking": "value = 666",
    "duty_warning": "value = 666",
    "duty_disposition": "episode = 'foreign'",
    "reviewed_warning": "episode = 'foreign'",
}
"""Marts with a region, and what is true of rows that are not the reader's alone."""
THROWING = (
    "throwIf({p})",
    "toInt32(if({p}, 'x', '1'))",
    "CAST(if({p}, 'x', '1') AS UInt8)",
    "accurateCast(if({p}, -1, 1), 'UInt8')",
    "intDiv(1, if({p}, 0, 1))",
    "toFixedString(if({p}, 'abc', 'a'), 1)",
    "toDate(if({p}, 'x', '2024-01-01'))",
    "parseDateTime(if({p}, 'x', '2024'), '%Y')",
    "toDecimal32(if({p}, '1e30', '1'), 2)",
    "toUUID(if({p}, 'x', '00000000-0000-0000-0000-000000000000'))",
    "match('a', if({p}, '(', 'a'))",
    "arrayMap(n -> throwIf(n AND {p}), [1])",
    "if({p}, throwIf(1), 0)",
    "{p} AND throwIf(1)",
)
SHAPES = (
    "SELECT count() FROM {m} WHERE NOT ignore({e})",
    "SELECT count() FROM {m} WHERE region = '330106' AND NOT ignore({e})",
    "SELECT count() FROM {m} WHERE day = '2024-03-01' AND NOT ignore({e}) AND region != ''",
    "SELECT {e} FROM {m} ORDER BY 1",
    "SELECT max({e}) AS h, count() FROM {m} HAVING NOT ignore(h)",
    "SELECT count() FROM {m} GROUP BY {e}",
    "SELECT region FROM {m} ORDER BY {e}, region LIMIT 5",
    "SELECT countIf(NOT ignore({e})) FROM {m}",
    "SELECT DISTINCT {e} FROM {m}",
    "SELECT region FROM {m} LIMIT 1 BY {e}",
    "SELECT sum(1) OVER (PARTITION BY {e}) FROM {m}",
    "SELECT region FROM {m} QUALIFY row_number() OVER (ORDER BY {e}) > 0",
    "SELECT count() FROM {m} AS f JOIN mart.region AS r ON r.code = f.region WHERE NOT ignore({e})",
    "SELECT count() FROM mart.region AS r LEFT JOIN {m} AS f ON r.code = f.region AND NOT ignore({e})",
    "SELECT count() FROM mart.region WHERE code IN (SELECT region FROM {m} WHERE NOT ignore({e}))",
    "SELECT (SELECT count() FROM {m} WHERE NOT ignore({e}))",
    "WITH x AS (SELECT *, {e} AS e FROM {m}) SELECT count() FROM x WHERE NOT ignore(e)",
    "SELECT count() FROM (SELECT * FROM {m} ARRAY JOIN [1, 2] AS a) WHERE NOT ignore({e})",
    "SELECT count() FROM (SELECT * FROM {m} UNION ALL SELECT * FROM {m}) WHERE NOT ignore({e})",
    "SELECT * FROM {m} SETTINGS filter = $$NOT ignore({e})$$",
    "SELECT count() FROM {m} WHERE NOT ignore({e}) SETTINGS max_threads = 1, max_block_size = 1024",
)
WORDS = (
    "^(to|parse|accurate|cast|CAST|reinterpret|JSON|simpleJSON|visit|throw|intDiv|mod|positiveMod|divide|date|add"
    "|subtract|from|From|decode|decrypt|un|base|tryBase|IPv|UUID|char|array|string|format|extract|regexp|match|replace"
    "|like|ilike|geo|h3|s2|bit|map|sub|left|right|position|snowflake|assume|hash|make|change|now|tuple|split"
    "|range|repeat|space|sleep|rand|read|normal|encrypt|hex|punycode|idna|time|year|seriesD|log|exp|sqrt|factorial)"
)
"""How functions begin that take a text or number and may refuse it."""
CALLS = (
    "{f}({text})",
    "{f}({number})",
    "{f}({text}, {number})",
    "{f}({number}, {number})",
    "{f}({text}, {text})",
)
BATCH = 25
ODD = {"text": "if({p}, 'q(\\\\xff', '1')", "number": "if({p}, -9000000000000, 1)"}
"""A text and a number that are plain on the reader's own row, and odd on a foreign one."""


@contextmanager
def asking(settings: Settings, protocol: str, user: str) -> Iterator[Ask]:
    """Statements as one user: their rows in order, or the code of the error."""
    access = settings.warehouse(user)
    if protocol == "native":
        client = Client(**access)
        run: Callable[[str], list[tuple[object, ...]]] = client.execute
        close = client.disconnect
    else:
        web = clickhouse_connect.get_client(
            host=HOST, port=settings.warehouse_http_port, username=user, password=access["password"]
        )
        run, close = (lambda sql: list(web.query(sql).result_rows)), web.close

    def ask(sql: str) -> Outcome:
        try:
            return "rows", sorted(map(repr, run(sql)))
        except ServerException as error:
            return "error", error.code
        except DatabaseError as error:
            return "error", error.code

    try:
        yield ask
    finally:
        close()


def show(warehouse: Warehouse) -> None:
    """One row of the reader's own in each mart, by release 1."""
    for table in ("ecology_air_quality", "ecology_good_air_days", "duty_warning", "duty_disposition"):
        point(warehouse, 1, table, "good")
    add(warehouse, OWN, "good", 1, "own")
    warehouse.rows(
        f"INSERT INTO quality.rule_day (rule, day, reviewed) VALUES ('r', '{DAY}', '2024-04-01 00:00:00')"
    )


def point(warehouse: Warehouse, seq: int, table: str, build: str) -> None:
    warehouse.insert("release.pointer", ("seq", "table", "day", "build_id"), [(seq, table, DAY, build)])


def add(warehouse: Warehouse, region: str, build: str, value: float, episode: str) -> None:
    """A row of a region in each table, of this build."""
    warehouse.rows(
        "INSERT INTO built.ecology_air_quality (event_day, build_id, id, region, pm25)"
        f" VALUES ('{DAY}', '{build}', '{episode}', '{region}', {value})"
    )
    warehouse.rows(
        "INSERT INTO built.figure (indicator, event_day, build_id, region, value)"
        f" VALUES ('ecology.good-air-days', '{DAY}', '{build}', '{region}', {value})"
    )
    for table in ("duty_warning", "duty_disposition"):
        column, number = (", value", f", {value}") if table == "duty_warning" else ("", "")
        warehouse.rows(
            f"INSERT INTO built.{table} (event_day, build_id, region, episode{column})"
            f" VALUES ('{DAY}', '{build}', '{region}', '{episode}'{number})"
        )
    if build == "good":
        warehouse.rows(
            "INSERT INTO quality.rule_warning (rule, day, region, episode, reviewed)"
            f" VALUES ('r', '{DAY}', '{region}', '{episode}', '2024-04-01 00:00:00')"
        )


def add_foreign(warehouse: Warehouse) -> None:
    """Rows that no county's user may see: another county's, one without a region, builds and a release unasked."""
    for region in (OTHER, ""):
        add(warehouse, region, "good", 666, "foreign")
    for region in (OTHER, OWN):
        add(warehouse, region, "unpublished", 666, "foreign")


def statements() -> list[str]:
    """Every shape with a throwing expression, in turn, on every mart."""
    found = []
    for number, (mart, marker) in enumerate(MARTS.items()):
        for at, shape in enumerate(SHAPES):
            expression = THROWING[(at + number) % len(THROWING)]
            found.append(shape.format(m=f"mart.{mart}", e=expression.format(p=f"({marker})")))
    return found


@pytest.mark.stack
@pytest.mark.parametrize("protocol", ["native", "http"])
def test_a_county_s_answers_do_not_depend_on_foreign_rows(house: House, protocol: str) -> None:
    show(house.warehouse)
    asked = statements() if protocol == "native" else statements()[::4]
    with asking(house.settings, protocol, f"bi_{OWN}") as ask:
        before = [ask(sql) for sql in asked]
        add_foreign(house.warehouse)
        after = [ask(sql) for sql in asked]
    answered = [sql for sql, (kind, _) in zip(asked, before, strict=True) if kind == "rows"]
    assert len(answered) > 0.9 * len(asked), [pair for pair in zip(asked, before, strict=True)][:3]
    assert [each for each in zip(asked, before, after, strict=True) if each[1] != each[2]] == []


@pytest.mark.stack
def test_the_same_statements_do_throw_where_the_rows_are_the_reader_s(house: House) -> None:
    """Otherwise the test above would prove nothing."""
    show(house.warehouse)
    add_foreign(house.warehouse)
    with asking(house.settings, "native", "bi") as ask:
        thrown = [ask(sql)[0] == "error" for sql in statements()[::3]]
    assert sum(thrown) > 0.8 * len(thrown)


@pytest.mark.stack
def test_no_release_s_answers_depend_on_rows_outside_it(house: House) -> None:
    show(house.warehouse)
    asked = [sql for sql in statements() if "(release = 1)" in sql]
    with asking(house.settings, "native", "bi") as ask:
        before = [ask(sql) for sql in asked]
        for region in (OWN, OTHER):
            add(house.warehouse, region, "unpublished", 666, "foreign")
            add(house.warehouse, region, "later", 666, "foreign")
        for table in ("ecology_air_quality", "ecology_good_air_days"):
            point(house.warehouse, 2, table, "later")
        assert [each for each in zip(asked, before, map(ask, asked), strict=True) if each[1] != each[2]] == []
        now = [ask(sql.replace("release = 1", "release = 2"))[0] for sql in asked]
        assert now.count("error") > 0.8 * len(now)


@pytest.mark.stack
def test_no_function_of_the_engine_tells_of_a_foreign_row(house: House) -> None:
    """Each function that takes a text or a number, in a filter, on rows of which the foreign ones are odd."""
    show(house.warehouse)
    names = house.warehouse.rows(
        "SELECT name FROM system.functions WHERE NOT is_aggregate AND alias_to = '' AND origin = 'System'"
        f" AND match(name, '{WORDS}') AND name NOT IN ('sleep', 'sleepEachRow') ORDER BY name"
    )
    calls = sorted(
        {
            CALLS[at].replace("{f}", name)
            for number, (name,) in enumerate(names)
            for at in (0, 1 + number % (len(CALLS) - 1))
        }
    )
    quiet = {kind: sql.format(p="materialize(toNullable(1.5)) = 666") for kind, sql in ODD.items()}
    with asking(house.settings, "native", "bi") as ask:
        taken = [call for call in calls if ask(f"SELECT ignore({call.format(**quiet)})")[0] == "rows"]
    assert len(taken) > 100
    marker = MARTS["ecology_air_quality"]
    odd = {kind: sql.format(p=marker) for kind, sql in ODD.items()}
    batches = [
        ", ".join(call.format(**odd) for call in taken[at : at + BATCH]) for at in range(0, len(taken), BATCH)
    ]
    asked = [f"SELECT count() FROM mart.ecology_air_quality WHERE NOT ignore({batch})" for batch in batches]
    with asking(house.settings, "native", f"bi_{OWN}") as ask, asking(house.settings, "native", "bi") as all:
        before = {sql: ask(sql) for sql in asked}
        quiet_ones = [sql for sql, (kind, _) in before.items() if kind == "rows"]
        assert quiet_ones
        add_foreign(house.warehouse)
        assert {sql: ask(sql) for sql in asked} == before
        assert any(all(sql)[0] == "error" for sql in quiet_ones)


@pytest.mark.stack
def test_a_county_sees_its_own_warnings_and_cases(house: House) -> None:
    show(house.warehouse)
    add_foreign(house.warehouse)
    for user, seen in ((f"bi_{OWN}", [OWN]), ("bi_330100", [OTHER, OWN]), ("bi_330000", ["", OTHER, OWN])):
        with asking(house.settings, "native", user) as ask:
            for mart in (
                "duty_warning",
                "duty_disposition",
                "reviewed_warning",
                "ecology_air_quality",
                "indicator",
            ):
                rows = ask(f"SELECT region FROM mart.{mart} WHERE NOT ignore(*)")
                assert rows == ("rows", sorted(repr((code,)) for code in seen)), (user, mart)


@pytest.mark.stack
@pytest.mark.parametrize("user", ["bi", f"bi_{OWN}"])
def test_what_a_user_of_bi_may_set(house: House, user: str) -> None:
    """Only what is on the list; nothing that stops the barrier, counts what is read or opens it to pages."""
    show(house.warehouse)
    with asking(house.settings, "native", user) as ask:
        kept = ask("SELECT name FROM system.settings WHERE NOT readonly")
        assert kept == ("rows", sorted(repr((name,)) for name in {*ALWAYS, *FREE, *LIMITED}))
        for setting in (
            *("readonly = 0", "readonly = 2", "log_comment = '*,330106'", "query_plan_filter_push_down = 0"),
            *("query_plan_enable_optimizations = 0", "optimize_move_to_prewhere = 0", "max_rows_to_read = 1"),
            *("short_circuit_function_evaluation = 'disable'", "enable_multiple_prewhere_read_steps = 0"),
            *(
                "add_http_cors_header = 1",
                "http_response_headers = '{\\'a\\': \\'b\\'}'",
                "send_logs_level = 'trace'",
            ),
            *("additional_table_filters = '{\\'a\\': \\'1\\'}'", "final = 1", "use_query_cache = 1"),
        ):
            assert ask(f"SELECT count() FROM mart.ecology_air_quality SETTINGS {setting}") == (
                "error",
                READONLY,
            )
            assert ask(f"SET {setting}") == ("error", READONLY), setting
        # no threads are the engine's own choice, not none
        below = {name: low for name, (low, _) in LIMITED.items() if low and name != "max_threads"}
        beyond = [f"{name} = {low - 1}" for name, low in below.items()]
        beyond += [f"{name} = {high + 1}" for name, (_, high) in LIMITED.items()]
        for setting in beyond:
            assert ask(f"SELECT 1 SETTINGS {setting}") == ("error", CONSTRAINED), setting
        free = "max_execution_time = 10, max_result_rows = 10, session_timezone = 'UTC', max_threads = 1"
        assert ask(f"SELECT count() FROM mart.ecology_air_quality SETTINGS {free}") == ("rows", ["(1,)"])


@pytest.mark.stack
@pytest.mark.parametrize("protocol", ["native", "http"])
def test_a_plan_is_for_nobody_of_bi(house: House, protocol: str) -> None:
    show(house.warehouse)
    names = [
        name for (name,) in house.warehouse.rows("SELECT name FROM system.tables WHERE database = 'mart'")
    ]
    with asking(house.settings, protocol, "bi") as ask:
        for name in names:
            view = f"{name}(release = 1)" if name.endswith("_at") else name
            for kind in ("", "ESTIMATE", "PIPELINE", "PLAN indexes = 1"):
                assert ask(f"EXPLAIN {kind} SELECT * FROM mart.{view}") == ("error", THROWN), (kind, view)
        inner = "(EXPLAIN SELECT * FROM mart.ecology_air_quality)"
        assert ask(f"SELECT * FROM {inner}")[0] == "error"
    with asking(house.settings, protocol, "admin") as ask:
        assert ask("EXPLAIN SELECT * FROM mart.ecology_air_quality")[0] == "rows"


@pytest.mark.stack
def test_a_release_that_there_is_not_is_an_error(house: House) -> None:
    client = Client(**house.settings.warehouse("bi"))
    names = [name for (name,) in client.execute("SELECT name FROM system.tables WHERE database = 'mart'")]
    assert client.execute("SELECT count() FROM mart.ecology_air_quality") == [(0,)]
    none = client.execute("SELECT count() FROM mart.ecology_air_quality_at(release = 0)")
    assert none == [(0,)], "the current release while there is none"
    with pytest.raises(ServerException, match="release 1 does not exist; nothing is published yet"):
        client.execute("SELECT count() FROM mart.ecology_air_quality_at(release = 1)")
    show(house.warehouse)
    point(house.warehouse, 3, "ecology_air_quality", "good")
    asked_before = f"SELECT count() FROM mart.ecology_air_quality_at(release = {BEFORE})"
    assert client.execute(asked_before) == [(0,)], "of before the first release, and no error"
    for name in names:
        if name.endswith("_at"):
            client.execute(f"SELECT * FROM mart.{name}(release = 3)")
            for number in (0, 2, 99999, 2**64 - 1):
                with pytest.raises(
                    ServerException, match=f"release {number} does not exist; there are 1 to 3"
                ):
                    client.execute(f"SELECT * FROM mart.{name}(release = {number})")
    for odd in ("-1", "1.5", "'x'", "''", "NULL"):
        with pytest.raises(ServerException, match="cannot be parsed as UInt64"):
            client.execute(f"SELECT * FROM mart.indicator_at(release = {odd})")
    house.warehouse.rows("INSERT INTO release.expired VALUES (1, now64(3))")
    with pytest.raises(ServerException, match="release 1 has expired"):
        client.execute("SELECT count() FROM mart.ecology_air_quality_at(release = 1)")
    assert client.execute("SELECT count() FROM mart.indicator_at(release = 1)") == [(1,)]
    client.disconnect()
    with pytest.raises(Misdeclared, match="99999: does not exist; there are 1 to 3"):
        house.warehouse.rows("SELECT * FROM mart.indicator_at(release = 99999)")
