"""How fast the console answers while a burst of warnings comes through duty: one JSON object a line.

Broker, warehouse, duty, push, receiver and console run as processes of their own, as in the stack. 10,000 warnings
come on the topic in one minute; in that minute visitors ask for what an officer uses, one thing after another,
acknowledge cases by form and by API, and pages that are only open keep themselves up to date as `live.js` does.
`--at-once` sends all 10,000 in one go instead. Baseline: the same visitors before it. To reach: p95 < 300 ms.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from secrets import token_urlsafe
from statistics import quantiles

import httpx
import sqlalchemy as sa
from kafka import KafkaProducer

from dagster_project.warehouse import warehouse as connected
from deploy.environment import as_environment, read_secrets, settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.regions import load_regions
from schemas.settings import PREFIX, Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from streams.console.accounts import Accounts
from streams.duty.accounts.officers import add_token, find, set_password
from streams.duty.cases.opening import hear
from streams.duty.database.database import Database
from streams.duty.database.models import Case
from streams.duty.home import open_home, operator
from tests.benchmarks.stack import broker
from tests.benchmarks.visitors import READY, Key
from tests.dagster_project.house import READING, Event
from tests.dagster_project.house import House as Log
from tests.programs import process, service
from tests.streams.duty.moments import warning, warning_bytes

EARLIER, BURST, SECONDS, BEFORE = 1_000, 10_000, 60, 12
STATIONS = 50
TARGET, PASSWORD = 300, "a long enough password"
PORTS = ("RECEIVER", "DUTY", "CONSOLE", "WAREHOUSE", "WAREHOUSE_HTTP")
OFFICERS = ("ecology-1", "ecology-2", "head-1")
LEVELS = ("red", "orange", "yellow", "yellow", "blue", "blue", "blue", "blue")
PROGRAMS = ("receiver", "duty", "push", "console")


def visit(settings: Settings, keys: list[Key], seconds: float) -> subprocess.Popen[str]:
    """The visitors, begun: started and ready before, so that their start costs nothing of the time measured."""
    command = [sys.executable, "-m", "tests.benchmarks.visitors"]
    visitors = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert visitors.stdin and visitors.stdout
    assert visitors.stdout.readline().strip() == READY, "the visitors failed"
    given = [list(vars(key).values()) for key in keys]
    visitors.stdin.write(json.dumps([settings.console, given, seconds]) + "\n")
    visitors.stdin.flush()
    return visitors


def answers(visitors: subprocess.Popen[str]) -> dict[str, list[float]]:
    """What they found; fails where they did."""
    said, _ = visitors.communicate(timeout=SECONDS + 90)
    assert visitors.returncode == 0, "the visitors failed"
    found: dict[str, list[float]] = json.loads(said)
    return found


def fill(settings: Settings) -> tuple[Database, list[Key]]:
    """A home with earlier cases, readings for the charts, and officers who can sign in."""
    with connected(settings) as connection:
        log = Log(settings, connection, datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 1))
        base = READING | {"averaging": "1h"}
        for station in range(STATIONS):
            log.land(*readings(f"s{station}"), base=base)
    now = datetime.now(UTC)
    database, desks = open_home(settings, now)
    counties = [county.code for county in desks.now().regions.counties]
    for first in range(0, EARLIER, 500):
        events = [warning(f"earlier{n}", **facts(n, counties)) for n in range(first, first + 500)]
        with database.writing() as session:
            hear(session, desks.now(), now, events)
    actor = operator("operator:bench", "bench", desks.now().regions)
    tokens = []
    with database.writing() as session:
        for login in OFFICERS:
            officer = find(session, login)
            set_password(session, officer, PASSWORD, datetime.now(UTC))
            tokens.append(add_token(session, actor, now, officer, token_urlsafe(32)))
    accounts, cookie = Accounts(database), f"liaowang_session_{settings.console_port}"
    sessions = [accounts.sign_in(login, PASSWORD, now) for login in OFFICERS]
    return database, [Key(cookie, *each) for each in zip(sessions, tokens, strict=True)]


def readings(station: str) -> list[Event]:
    """A reading an hour around the warnings' time."""
    begun = datetime(2026, 9, 29, tzinfo=UTC)
    return [
        Event(
            f"{station}-{hour}",
            (begun + timedelta(hours=hour + 8)).date(),
            {"station": station, "time": begun + timedelta(hours=hour), "pm25": 20.0 + hour},
        )
        for hour in range(48)
    ]


def facts(number: int, counties: list[str]) -> dict[str, str]:
    """What a warning says beside its episode."""
    region, level = counties[number % len(counties)], LEVELS[number % len(LEVELS)]
    return {"level": level, "region": region, "subject": f"s{number % STATIONS}"}


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The programs as processes of their own, until the console answers."""
    log = settings.home / "programs.log"
    with ExitStack() as stack:
        for name in PROGRAMS:
            stack.enter_context(process(settings, service(name), log, signal.SIGTERM))
        try:
            for port in (settings.console_port, settings.duty_port):
                wait_for(lambda port=port: well(port), 60, f"port {port}")
        except SystemExit:
            print(log.read_text()[-4000:], file=sys.stderr)
            raise
        yield


def well(port: int) -> bool:
    """Whether a program answers on its port."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(fulfilled: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; fail after so long."""
    end = time.monotonic() + seconds
    while not fulfilled():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds:.0f} s for {what} in vain")
        time.sleep(0.2)


def produce(settings: Settings, seconds: float) -> None:
    """The burst, evenly over so many seconds."""
    counties = [county.code for county in load_regions().counties]
    prepared = [warning_bytes(f"burst{n}", **facts(n, counties)) for n in range(BURST)]
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=5)
    begun = time.monotonic()
    for number, value in enumerate(prepared):
        early = begun + seconds * number / BURST - time.monotonic()
        if early > 0.005:
            time.sleep(early)
        producer.send(WARNINGS, key=b"burst%d" % number, value=value)
    producer.flush()
    producer.close()


def opened(database: Database) -> int:
    """How many cases there are."""
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Case)) or 0


def say(
    quiet: dict[str, list[float]], rows: dict[str, list[float]], lost: int, caught_up: float, how: str
) -> None:
    """One line for each thing asked, and one for all."""
    rows = {**dict(sorted(rows.items())), "all": [ms for took in rows.values() for ms in took]}
    quiet = {**quiet, "all": [ms for took in quiet.values() for ms in took]}
    for name, took in rows.items():
        if len(took) < 20 or len(quiet.get(name, ())) < 2:
            continue
        cuts, before = quantiles(took, n=20), quantiles(quiet[name], n=20)[18]
        line = {
            "name": "console",
            "what": f"{name}, {how}",
            "requests": len(took),
            "p50_ms": round(cuts[9], 1),
            "p95_ms": round(cuts[18], 1),
            "max_ms": round(max(took), 1),
            "target_p95_ms": TARGET,
            "quiet_p95_ms": round(before, 1),
            "ratio": round(cuts[18] / before, 1),
        }
        if name == "all":
            line |= {"lost": lost, "all_cases_open_after_s": round(caught_up, 1)}
        print(json.dumps(line), flush=True)


def complete(base: Settings) -> Settings:
    """The settings of a broker's home with ports for everything else, and the secrets."""
    ensure_secrets(base.home)
    ports = {f"{PREFIX}{name}_PORT": str(free_port()) for name in PORTS}
    return settings_from({**as_environment(base), **ports, **read_secrets(base.home)})


def main() -> None:
    """Measure and print."""
    at_once = "--at-once" in sys.argv
    with broker([DISPOSITIONS]) as base:
        settings = complete(base)
        (settings.home / "duty").mkdir(exist_ok=True)
        (settings.home / "duty" / "channels.yaml").write_text("channels: {webhook: {kind: webhook}}\n")
        with warehouse_running(settings):
            migrate(settings)
            database, keys = fill(settings)
            with running(settings):
                quiet = answers(visit(settings, keys, BEFORE))
                visitors, begun = visit(settings, keys, SECONDS), time.monotonic()
                produce(settings, 0 if at_once else SECONDS)
                rows = answers(visitors)
                wait_for(lambda: opened(database) >= EARLIER + BURST, 60, "all cases")
                lost = EARLIER + BURST - opened(database)
                caught_up = time.monotonic() - begun
            database.close()
    say(quiet, rows, lost, caught_up, f"{BURST} at once" if at_once else f"{BURST} in {SECONDS} s")


if __name__ == "__main__":
    main()
