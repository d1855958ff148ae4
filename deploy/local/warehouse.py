"""The warehouse on this machine: one ClickHouse server on 127.0.0.1, data under `<home>/warehouse`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from deploy.environment import SECRETS, as_environment
from deploy.local.admits import admits, answers
from deploy.local.confine import confine
from deploy.local.door import Door
from deploy.local.engine import Engine, changed, library
from deploy.local.process import CannotStart, hold, require_port, running, worker_command
from deploy.local.warehouse_config import SHADOWS, server_config, users_config
from schemas.ddl.render import attached_database
from schemas.fields import TIME_ZONE
from schemas.settings import HOST, Settings

SYSTEM = attached_database("00000000-0000-4000-8000-000000000001")
START_SECONDS = 60.0
STOP_SECONDS = 60.0
REFUSED_HTTP = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
WITHOUT_PASSWORD = (
    "SELECT 1",
    "SELECT file('config.xml')",
    "SELECT count() FROM file('*', 'LineAsString')",
    "SELECT * FROM generateRandom('a UInt8') LIMIT 1",
    "SELECT sum(number) FROM numbers(10)",
)
FORBIDDEN = (
    "SELECT file('config.xml')",
    "SELECT * FROM file('config.xml', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/a', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
    "SELECT * FROM executable('a', 'TSV', 'a UInt8')",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS query_plan_filter_push_down = 0",
    "SELECT 1 SETTINGS add_http_cors_header = 1",
)
"""What bi may not do, by kind: files, other servers, programs, settings."""
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
SYSTEM_FILES = tuple(
    Path(path)
    for path in (
        *("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache"),
        "/usr/share/zoneinfo",
        "/etc/localtime",
        "/sys/fs/cgroup",
        "/proc/self/statm",  # of /proc single files only: a folder of it holds the environment of a process
        *(f"/proc/{name}" for name in ("meminfo", "cpuinfo", "stat", "loadavg", "uptime")),
    )
)
"""What the engine and Python read of the system: libraries, time zones, how much memory there is."""
UNCONFINED = (
    "warehouse: WARNING: this kernel has no Landlock, so a fault of this server reaches every file that its "
    "user can read, not only its own folder"
)


SEEING = (
    "warehouse: WARNING: this build of the engine is not known, so whoever may ask it anything can end it by "
    "SELECT * FROM python('x')"
)
PYTHON = (
    "SELECT * FROM python('os')",
    "DESCRIBE TABLE PYTHON('os')",
)
"""What a blind engine says that there is no such object to."""


def prepare(settings: Settings, door: str) -> Path:
    """Write the server's files; the folder it runs in. `door` is the address of its own user's door."""
    if not (settings.admin_password and settings.service_password and settings.bi_password):
        raise CannotStart("warehouse: it has no passwords yet; `liaowang up` makes them")
    folder = _home(settings)
    metadata = folder / "data" / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    (settings.home / "logs").mkdir(exist_ok=True)
    if not (metadata / "system.sql").exists():
        (metadata / "system.sql").write_text(SYSTEM)
    _write_private(folder / "users.xml", users_config(settings))
    log = settings.home.absolute() / "logs" / "warehouse-server.log"
    _write_private(folder / "config.xml", server_config(settings, folder, log, door))
    functions = folder / "data" / "user_defined"
    functions.mkdir(exist_ok=True)
    for name, text in SHADOWS.items():
        _write_private(functions / f"function_{name}.sql", text)
    return folder


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then end cleanly; CannotStart when the server is not as it should be."""
    hold(_home(settings), "warehouse")
    require_ports(settings)
    door = Door()
    os.chdir(prepare(settings, door.address))
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    os.environ["TZ"] = TIME_ZONE  # in this mode the engine reads its own from here, not from config.xml
    engine = Engine(_home(settings))
    confined = shut_in(settings)
    door.open()
    try:
        engine.start()
        if not _await(engine, settings):
            return
        self_test(settings, confined)
        if engine.blind:
            test_blind(settings)
        else:
            print(SEEING, file=sys.stderr, flush=True)
        print("warehouse: ready", flush=True)
        while engine.alive and signal.sigtimedwait(_STOP_SIGNALS, 0.5) is None:
            pass
        if not engine.alive:
            raise CannotStart(f"warehouse: the server ended by itself: {engine.ended or 'no reason given'}")
    finally:
        clean = engine.stop(STOP_SECONDS)
        print("warehouse: ended" if clean else "warehouse: did not end in time", flush=True)


def shut_in(settings: Settings) -> bool:
    """Take every file from this process that the server does not need; False, with a warning, if it cannot."""
    read = [
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(sys.base_prefix) / "lib",
        library().parent.parent,
        *SYSTEM_FILES,
    ]
    confined = confine(read, [_home(settings)], record=[settings.home.absolute() / "logs"])
    if not confined:
        print(UNCONFINED, file=sys.stderr, flush=True)
    return confined


def self_test(settings: Settings, confined: bool) -> None:
    """Check that what came up is the server this project needs; CannotStart names the first difference."""
    admin = Client(**settings.warehouse("admin"))
    engines = dict(admin.execute("SELECT name, engine FROM system.databases"))
    admin.disconnect()
    for database in ("system", "default"):
        if engines.get(database) != "Atomic":
            raise changed(f"the database {database} is {engines.get(database, 'not there')}, not Atomic")
    for user in ("admin", "service", "bi", "personal"):
        if admits(settings.warehouse(user) | {"password": "not the password"}):
            raise changed(f"it lets {user} in with a wrong password")
    for found in open_doors(settings):
        raise changed(found)
    if not admits(settings.warehouse("bi")):
        raise changed("it does not let bi in with the right password")
    for attempt in FORBIDDEN:
        if admits(settings.warehouse("bi"), attempt) is not False:
            raise changed(f"bi may run {attempt}")
    for path in (settings.home.absolute() / SECRETS, Path("/etc/passwd"), Path("/proc/self/environ")):
        if confined and _reads(settings.warehouse("admin"), path):
            raise changed(f"it can read {path}")


def test_blind(settings: Settings) -> None:
    """Check that the engine finds no Python object, and lives on; CannotStart otherwise."""
    for attempt in PYTHON:
        if admits(settings.warehouse("bi"), attempt) is not False:
            raise changed(f"bi may run {attempt}, or the engine ends by it")


def open_doors(settings: Settings) -> Iterator[str]:
    """What somebody without a password is answered, in words, by protocol and statement; nothing should be."""
    for name in ("default", ""):
        for attempt in WITHOUT_PASSWORD:
            if admits(settings.warehouse("bi") | {"user": name, "password": ""}, attempt) is not False:
                yield f"it answers {attempt} to {name or 'nobody'} without a password"
    address = f"http://{HOST}:{settings.warehouse_http_port}/"
    for attempt in WITHOUT_PASSWORD:
        told = _told(f"{address}?{urlencode({'query': attempt, 'add_http_cors_header': 1})}", {})
        if told not in REFUSED_HTTP:
            yield f"it answers {attempt} over HTTP without a password ({told})"
    if _told(f"{address}?query=SELECT+1", {"Origin": "http://page.example"}) != HTTPStatus.FORBIDDEN:
        yield "it answers a web page over HTTP"


def require_ports(settings: Settings) -> None:
    """Both ports of the warehouse are free; otherwise CannotStart."""
    require_port(settings.warehouse_port, "warehouse_port", "warehouse")
    require_port(settings.warehouse_http_port, "warehouse_http_port", "warehouse")


@contextmanager
def warehouse_running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A server with these settings, ready inside the block and ended after it; its data stay."""
    require_ports(settings)
    log = settings.home / "logs" / "warehouse.log"
    with running(
        worker_command("warehouse"), as_environment(settings), log, lambda: answers(settings)
    ) as process:
        yield process


def _await(engine: Engine, settings: Settings) -> bool:
    """Wait for both listeners; False when a stop signal came first."""
    deadline = time.monotonic() + START_SECONDS
    while not engine.serving:
        if not engine.alive:
            raise changed(f"it ended at once: {engine.ended or 'no reason given'}")
        if time.monotonic() > deadline:
            raise changed(f"it does not serve after {START_SECONDS:.0f} s")
        if signal.sigtimedwait(_STOP_SIGNALS, 0.1) is not None:
            return False
    return True


def _told(address: str, headers: dict[str, str]) -> int:
    """The status of an answer over HTTP."""
    try:
        with urlopen(Request(address, headers=headers), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def _reads(access: dict[str, object], path: Path) -> bool:
    """Whether the server gives this user the bytes of a file that is none of its own."""
    client = Client(**access)
    try:
        client.execute("SELECT length(file(%(path)s))", {"path": str(path)})
    except ServerException:
        return False
    finally:
        client.disconnect()
    return True


def _home(settings: Settings) -> Path:
    return settings.home.absolute() / "warehouse"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
