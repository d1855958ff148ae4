"""The local warehouse: rights of its users, what it keeps, what it refuses."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import clickhouse_connect
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ErrorCodes, ServerException

from deploy.local.admits import answers
from deploy.local.door import Door
from deploy.local.no_python import blind
from deploy.local.process import CannotStart
from deploy.local.warehouse import PYTHON, WITHOUT_PASSWORD, warehouse_running
from deploy.local.warehouse_config import server_config, users_config
from deploy.ports import free_port
from schemas.settings import Settings

SHORT = Settings(admin_password="one", service_password="two", bi_password="<three>")
BEYOND_CONSTRAINT = 452  # neither is
ACCESS_DENIED = 497  # not among clickhouse_driver's ErrorCodes
AUTHENTICATION_FAILED = 516
THROWN = 395
NO_OBJECT = 801
Run = Callable[..., Any]


@contextmanager
def user(settings: Settings, name: str) -> Iterator[Run]:
    """Statements as one user over the native protocol."""
    client = Client(**settings.warehouse(name))
    try:
        yield client.execute
    finally:
        client.disconnect()


def refused(run: Run, statement: str, code: int = ACCESS_DENIED) -> None:
    with pytest.raises(ServerException) as caught:
        run(statement)
    assert caught.value.code == code, str(caught.value)[:300]


@pytest.fixture(scope="module")
def marts(warehouse: Settings) -> Settings:
    """The warehouse with one built table and views of it in mart, made by the service."""
    with user(warehouse, "service") as run:
        run("CREATE TABLE IF NOT EXISTS built.test (day Date, n Int64) ENGINE = MergeTree ORDER BY day")
        run("INSERT INTO built.test VALUES", [(date(2026, 1, at), at) for at in (1, 2, 3)])
        definer = "DEFINER = service SQL SECURITY DEFINER"
        run(f"CREATE OR REPLACE VIEW mart.test {definer} AS SELECT * FROM built.test")
        run(
            f"CREATE OR REPLACE VIEW mart.test_at {definer} AS "
            "SELECT * FROM built.test WHERE n <= {release:UInt64}"
        )
    return warehouse


def test_passwords_stand_nowhere_in_plain() -> None:
    text = users_config(SHORT) + server_config(SHORT, Path("/home"), Path("/log"))
    assert not any(f">{secret}<" in text for secret in ("one", "two", "&lt;three&gt;"))


def test_every_user_comes_from_loopback_only() -> None:
    text = users_config(SHORT)
    assert text.count("<networks><ip>127.0.0.1</ip></networks>") == text.count("<networks>") == 5


@pytest.mark.stack
class TestRights:
    def test_bi_reads_marts_over_definer_views(self, marts: Settings) -> None:
        with user(marts, "bi") as run:
            assert run("SELECT sum(n) FROM mart.test") == [(6,)]
            assert run("SELECT sum(n) FROM mart.test_at(release = 2)") == [(3,)]

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM built.test",
            "SELECT * FROM landing.rejected",
            "SELECT * FROM release.pointer",
            "SELECT * FROM quality.verdict",
            "SELECT * FROM system.processes",
            "SELECT * FROM system.users",
            "INSERT INTO mart.test VALUES ('2026-01-01', 1)",
            "CREATE TABLE mart.mine (a Int8) ENGINE = Memory",
            "CREATE TEMPORARY TABLE mine (a Int8)",
            "DROP VIEW mart.test",
            "SELECT * FROM file('users.xml', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')",
            "SELECT * FROM remote('127.0.0.1', 'built', 'test')",
            "SELECT * FROM _local.anything",
            "SYSTEM FLUSH LOGS",
        ],
    )
    def test_bi_may_nothing_else(self, marts: Settings, statement: str) -> None:
        with user(marts, "bi") as run:
            refused(run, statement)

    def test_bi_sees_no_query_texts(self, marts: Settings) -> None:
        with user(marts, "admin") as run:
            run("SYSTEM FLUSH LOGS")
        with user(marts, "bi") as run:
            refused(run, "SELECT query FROM system.query_log")

    def test_bi_cannot_lift_its_limits(self, marts: Settings) -> None:
        with user(marts, "bi") as run:
            refused(run, "SET readonly = 0", ErrorCodes.READONLY)
            refused(run, "SET max_memory_usage = 0", BEYOND_CONSTRAINT)
            refused(run, "SET max_execution_time = 0", BEYOND_CONSTRAINT)

    def test_bi_sees_only_marts_in_catalogues(self, marts: Settings) -> None:
        with user(marts, "bi") as run:
            assert {name for (name,) in run("SHOW DATABASES")} <= {"mart", "system"}
            tables = run("SELECT database, name FROM system.tables WHERE database != 'mart'")
            assert set(tables) <= {("system", "parts")}
            schemas = run("SELECT DISTINCT table_schema FROM information_schema.tables")
            assert ("mart",) in schemas and set(schemas) <= {("mart",), ("system",)}
            assert run("SELECT count() FROM system.parts") == [(0,)]

    def test_bi_tool_over_http(self, marts: Settings) -> None:
        access = {"host": "127.0.0.1", "port": marts.warehouse_http_port, "username": "bi"}
        with closing(clickhouse_connect.get_client(**access, password=marts.bi_password)) as client:
            assert client.query("SELECT sum(n) FROM mart.test").result_rows == [(6,)]
            assert {"test", "test_at"} <= set(client.query("SHOW TABLES FROM mart").result_columns[0])
            with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="privileges"):
                client.query("SELECT * FROM built.test")

    def test_service_owns_its_databases_and_no_more(self, marts: Settings) -> None:
        with user(marts, "service") as run:
            run("CREATE OR REPLACE TABLE quality.mine (a Int8) ENGINE = MergeTree ORDER BY a")
            run("ALTER TABLE quality.mine ADD COLUMN b Int8")
            run("DROP TABLE quality.mine")
            refused(run, "CREATE TABLE default.mine (a Int8) ENGINE = Memory")
            refused(run, "CREATE DATABASE mine")
            refused(run, "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')")

    def test_service_may_insert_into_many_partitions_at_once(self, marts: Settings) -> None:
        with user(marts, "service") as run:
            engine = "ENGINE = MergeTree PARTITION BY a ORDER BY a"
            run(f"CREATE OR REPLACE TABLE quality.many (a Int32) {engine}")
            run("INSERT INTO quality.many VALUES", [(at,) for at in range(150)])
            assert run("SELECT count() FROM quality.many") == [(150,)]
            run("DROP TABLE quality.many")

    @pytest.mark.parametrize("name", ["admin", "service", "bi"])
    def test_wrong_password_is_refused(self, marts: Settings, name: str) -> None:
        client = Client(**marts.warehouse(name) | {"password": "wrong"})
        with pytest.raises(ServerException):
            client.execute("SELECT 1")
        client.disconnect()

    @pytest.mark.parametrize("name", ["default", "", "nobody"])
    @pytest.mark.parametrize("statement", WITHOUT_PASSWORD)
    def test_nobody_without_a_password_is_answered(self, marts: Settings, name: str, statement: str) -> None:
        client = Client(**marts.warehouse("bi") | {"user": name, "password": ""})
        refused(client.execute, statement, AUTHENTICATION_FAILED)
        client.disconnect()

    def test_inserts_do_not_fill_the_log_with_waiting_merges(self, marts: Settings) -> None:
        log, waits = marts.home / "logs" / "warehouse-server.log", "Temporarily pause scheduling"
        with user(marts, "service") as run:
            for table in range(10):
                run(f"CREATE TABLE built.busy_{table} (n UInt32) ENGINE = MergeTree ORDER BY n")
            before = log.read_text().count(waits)
            for number in range(200):
                run(f"INSERT INTO built.busy_{number % 10} VALUES", [(number,)])
            for table in range(10):
                run(f"DROP TABLE built.busy_{table}")
        assert log.read_text().count(waits) - before < 20

    def test_files_with_hashes_are_private(self, marts: Settings) -> None:
        mode = (marts.home / "warehouse" / "users.xml").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


@pytest.mark.stack
class TestFiles:
    @pytest.mark.parametrize("name", ["bi", "personal", "service", "admin"])
    @pytest.mark.parametrize("path", ["config.xml", "users.xml", "stop", "/etc/passwd", "data/*"])
    def test_no_file_by_the_function(self, marts: Settings, name: str, path: str) -> None:
        with user(marts, name) as run:
            for call in (f"file('{path}')", f"arrayMap(file, ['{path}'])", f"`file`('{path}')"):
                refused(run, f"SELECT {call}", THROWN)
            refused(run, f"SELECT file('{path}', 'none')", ErrorCodes.BAD_ARGUMENTS)

    def test_the_engine_shows_no_path_of_this_machine(self, marts: Settings) -> None:
        with user(marts, "bi") as run:
            told = str(run("SELECT * FROM system.databases")) + str(run("SELECT * FROM system.tables"))
            assert str(marts.home.absolute()) not in told
            refused(run, "SELECT getServerSetting('path')")
            assert run("SELECT count() FROM system.user_query_log") == [(0,)]


def told(
    settings: Settings, path: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, Mapping[str, str]]:
    """Status and headers of an answer over HTTP."""
    address = f"http://127.0.0.1:{settings.warehouse_http_port}{path}"
    try:
        with urlopen(Request(address, headers=dict(headers), method=method), timeout=60) as answer:
            return answer.status, dict(answer.headers)
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def shut(address: str) -> None:
    """Nobody is let in at this door."""
    with pytest.raises(HTTPError) as refused:
        urlopen(address, timeout=60)
    refused.value.close()


@pytest.mark.stack
class TestHttp:
    @pytest.mark.parametrize("statement", WITHOUT_PASSWORD)
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-ClickHouse-User": "default"},
            {"X-ClickHouse-User": "default", "X-ClickHouse-Key": ""},
            {"Authorization": "Basic ZGVmYXVsdDo="},
            {"Authorization": "Basic Og=="},
        ],
        ids=["nothing", "name", "name and key", "basic", "basic of nobody"],
    )
    def test_nobody_without_a_password_is_answered(
        self, marts: Settings, headers: dict[str, str], statement: str
    ) -> None:
        status, _ = told(marts, f"/?{urlencode({'query': statement})}", headers)
        assert status in (401, 403)
        status, _ = told(marts, f"/?{urlencode({'query': statement, 'user': 'default', 'password': ''})}", {})
        assert status in (401, 403)

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_no_page_is_answered(self, marts: Settings, method: str) -> None:
        bi = {"X-ClickHouse-User": "bi", "X-ClickHouse-Key": marts.bi_password}
        for query in ("query=SELECT+1", "query=SELECT+1&add_http_cors_header=1"):
            status, headers = told(marts, f"/?{query}", bi | {"Origin": "http://page.example"}, method)
            assert status == 403
            assert not any(name.lower().startswith("access-control") for name in headers)

    def test_only_this_machine_s_name_is_answered(self, marts: Settings) -> None:
        bi = {"X-ClickHouse-User": "bi", "X-ClickHouse-Key": marts.bi_password}
        assert told(marts, "/?query=SELECT+1", bi)[0] == 200
        assert told(marts, "/?query=SELECT+1", bi | {"Host": "localhost:1"})[0] == 200
        assert told(marts, "/?query=SELECT+1", bi | {"Host": "page.example"})[0] == 404
        assert told(marts, "/ping", {})[0] == 200

    @pytest.mark.parametrize(
        "page",
        ["play", "dashboard", "binary", "merges", "jemalloc", "webterminal", "replicas_status", "metrics"],
    )
    def test_the_engine_s_own_pages_are_not_there(self, marts: Settings, page: str) -> None:
        assert told(marts, f"/{page}", {})[0] == 404


@pytest.mark.stack
def test_it_listens_on_loopback_alone(marts: Settings) -> None:
    for port in (marts.warehouse_port, marts.warehouse_http_port):
        for address in ("::1", "127.0.0.2"):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=5).close()


OTHER_WAYS = (
    "SELECT * FROM PYTHON('sys')",
    "SELECT * FROM \"PyThOn\"('os')",
    "SELECT * FROM `python` /* a */ ( -- b\n 'os')",
    "SELECT * FROM python(os)",
    "SELECT * FROM python(concat('o', 's'))",
    "SELECT * FROM python((SELECT 'os'))",
    "SELECT * FROM (SELECT * FROM python('os'))",
    "WITH x AS (SELECT * FROM python('os')) SELECT * FROM x",
    "SELECT 1 WHERE 1 IN (SELECT * FROM python('os'))",
    "SELECT * FROM view(SELECT * FROM python('os'))",
    "SELECT * FROM loop(python('os'))",
    "SELECT * FROM merge(python('os'))",
    "SELECT * FROM remote('127.0.0.1', python('os'))",
    "SELECT * FROM numbers(1) AS a JOIN python('os') AS b ON 1",
    "SELECT * FROM viewIfPermitted(SELECT * FROM python('os') ELSE null('a UInt8'))",
    "DESCRIBE python('os')",
    "EXPLAIN SELECT * FROM python('os')",
    "EXPLAIN QUERY TREE SELECT * FROM python('os')",
    "INSERT INTO FUNCTION python('os') SELECT 1",
)


@pytest.mark.stack
@pytest.mark.parametrize("name", ["bi", "personal", "service", "admin"])
def test_no_object_of_python_is_found_and_the_engine_lives_on(marts: Settings, name: str) -> None:
    """Before, one such statement of anybody who may ask ended the engine."""
    with user(marts, name) as run:
        for statement in (*PYTHON, *OTHER_WAYS):
            with pytest.raises(ServerException) as caught:
                run(statement)
            assert caught.value.code in (NO_OBJECT, ACCESS_DENIED, 36, 43), str(caught.value)[:300]
        assert run("SELECT 1") == [(1,)]


def test_of_another_build_of_the_engine_nothing_is_touched(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    other.write_bytes(b"x" * 100)
    assert not blind(other) and not blind(other, 0, b"x" * 10)
    lines = Path("/proc/self/maps").read_text().splitlines()
    libc = next(Path(line.split()[-1]) for line in lines if line.endswith("/libc.so.6"))
    assert not blind(libc, 4096, b"not what stands there") and not blind(libc, 0, b"\x7fELF"), "no code"


def test_nobody_who_is_slow_keeps_the_door() -> None:
    door = Door()
    door.open()
    port = int(door.address.split(":")[2].partition("/")[0])
    held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(40)]
    for each in held[-20:]:
        each.sendall(b"GET /")
    with urlopen(door.address, timeout=60) as answer:
        assert answer.status == 200
    for each in held:
        each.close()
    shut(door.address)


def test_the_door_lets_one_in_and_nobody_after() -> None:
    door = Door()
    door.open()
    shut(door.address[:-1])
    assert not door.used
    with urlopen(door.address, timeout=10) as answer:
        assert answer.status == 200
    assert door.used
    for _ in range(3):
        shut(door.address)


@pytest.fixture
def alone(settings: Settings, tmp_path: Path) -> Settings:
    """Settings for a warehouse of its own."""
    return replace(
        settings,
        home=tmp_path,
        warehouse_port=free_port(),
        warehouse_http_port=free_port(),
    )


@pytest.mark.stack
class TestKeeping:
    def test_restart_keeps_data_and_query_log(self, alone: Settings) -> None:
        with warehouse_running(alone) as process, user(alone, "admin") as run:
            run("CREATE TABLE default.kept (a Int8) ENGINE = MergeTree ORDER BY a")
            run("INSERT INTO default.kept VALUES", [(1,)])
            run("SYSTEM FLUSH LOGS")
        assert process.returncode == 0
        with warehouse_running(alone), user(alone, "admin") as run:
            assert run("SELECT a FROM default.kept") == [(1,)]
            assert run("SELECT count() > 0 FROM system.query_log WHERE query LIKE '%default.kept%'") == [(1,)]

    def test_kill_after_acknowledged_inserts_loses_none(self, alone: Settings) -> None:
        written = 0
        for cycle in range(3):
            with warehouse_running(alone) as process, user(alone, "admin") as run:
                run("CREATE TABLE IF NOT EXISTS default.kept (a Int64) ENGINE = MergeTree ORDER BY a")
                for _ in range(10):
                    run("INSERT INTO default.kept VALUES", [(written + at,) for at in range(100)])
                    written += 100
                process.kill()
                process.wait()
            assert not answers(alone), cycle
        with warehouse_running(alone), user(alone, "admin") as run:
            assert run("SELECT count(), uniqExact(a), max(a) FROM default.kept") == [
                (written, written, written - 1)
            ]

    def test_second_server_on_the_same_folder_is_refused(self, alone: Settings) -> None:
        elsewhere = replace(alone, warehouse_port=free_port(), warehouse_http_port=free_port())
        in_use = rf"warehouse: the data folder {alone.home}/warehouse is in use by process \d+; stop it"
        with warehouse_running(alone), pytest.raises(CannotStart, match=in_use), warehouse_running(elsewhere):
            pass

    def test_taken_port_is_named(self, alone: Settings) -> None:
        with warehouse_running(alone):
            other = replace(alone, home=alone.home / "other", warehouse_port=free_port())
            taken = f"port {alone.warehouse_http_port} .*LIAOWANG_WAREHOUSE_HTTP_PORT"
            with pytest.raises(CannotStart, match=taken), warehouse_running(other):
                pass

    def test_without_passwords_it_does_not_start(self, alone: Settings) -> None:
        bare = replace(alone, bi_password="")
        with pytest.raises(CannotStart, match="no passwords yet"), warehouse_running(bare):
            pass
