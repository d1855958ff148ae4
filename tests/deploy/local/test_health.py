"""When a service is restarted, and when it is left alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from socket import AF_UNIX, socket
from threading import Thread
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from supervisor.states import ProcessStates

from deploy.environment import settings_from
from deploy.local import docs
from deploy.local.control import Control, Process
from deploy.local.health import FIRST_PAUSE, RestartState, decide
from deploy.local.probe import Finding, Health, daemon_beat, judge_beat, judge_daemon, last_beat, probe
from deploy.local.services import SERVICES, Service
from deploy.local.supervisor import status
from deploy.local.supervisor_conf import code_socket
from deploy.ports import free_port
from schemas.settings import Settings
from streams.aside import Aside
from streams.http_guard import basic

HUNG, WELL = Finding(Health.hung, "no answer"), Finding(Health.ok)
NOW = 1_000_000.0


def process(name: str, code: int = ProcessStates.RUNNING, uptime: float = 1000.0) -> Process:
    return Process(name, code, 1, NOW - uptime, 0.0, NOW, "")


SERVERS = {"kafka": process("kafka"), "warehouse": process("warehouse")}


def rounds(number: int, findings: dict[str, Finding], **kwargs: float) -> list[dict[str, str]]:
    """What is restarted in each of several like rounds."""
    memory: dict[str, RestartState] = {}
    restarts = []
    for _ in range(number):
        land = process("land", uptime=kwargs.get("uptime", 1000.0))
        outcome = decide(memory, {**SERVERS, "land": land}, findings, NOW, limit=3)
        memory = dict(outcome.memory)
        restarts.append(outcome.restart)
    return restarts


def test_hung_so_often_in_a_row_is_restarted_once() -> None:
    assert rounds(5, {"land": HUNG}) == [{}, {}, {"land": "no answer"}, {}, {}]


def test_one_good_probe_starts_the_count_again() -> None:
    memory = {"land": RestartState(failures=2)}
    outcome = decide(memory, {**SERVERS, "land": process("land")}, {"land": WELL}, NOW, limit=3)
    assert outcome.memory["land"].failures == 0


def test_unwell_by_its_own_word_is_left_alone() -> None:
    assert not any(rounds(9, {"land": Finding(Health.unwell, "HTTP 503")}))


def test_unwell_for_long_is_restarted_as_what_hangs_is() -> None:
    found = rounds(40, {"land": Finding(Health.unwell, "HTTP 503")})
    assert [number for number, restarted in enumerate(found, 1) if restarted] == [15, 30]


@pytest.mark.parametrize("server", ["kafka", "warehouse"])
def test_unwell_while_a_server_is_away_waits_for_it(server: str) -> None:
    unwell = Finding(Health.unwell, "HTTP 503")
    assert not any("land" in each for each in rounds(40, {"land": unwell, server: HUNG}))


def starts(seconds: int, busy: bool) -> list[int]:
    """When a service that never gets well is restarted, looked at every ten seconds for so many."""
    memory: dict[str, RestartState] = {}
    started, found = 0, []
    for now in range(0, seconds, 10):
        land = Process("land", ProcessStates.RUNNING, 1, NOW + started, 0.0, NOW + now, "")
        used = {"land": float(now if busy else 1)}
        outcome = decide(memory, {**SERVERS, "land": land}, {"land": HUNG}, NOW + now, worked=used)
        memory = dict(outcome.memory)
        if outcome.restart:
            found.append(now)
            started = now
    return found


def test_each_restart_in_vain_is_given_more_time() -> None:
    pauses = [after - before for before, after in pairwise([0, *starts(4000, busy=False)])]
    assert len(pauses) >= 4 and all(after > 1.5 * before for before, after in pairwise(pauses))


def test_what_has_not_been_well_yet_and_works_is_left_to_start() -> None:
    assert starts(1500, busy=True) == [] != starts(1500, busy=False)
    assert starts(3000, busy=True) != [], "but not for ever"


def test_what_was_well_and_hangs_busy_is_restarted() -> None:
    memory: dict[str, RestartState] = {}
    for number in range(9):
        finding = WELL if number == 0 else HUNG
        outcome = decide(
            memory,
            {**SERVERS, "land": process("land")},
            {"land": finding},
            NOW,
            3,
            worked={"land": 9.0 * number},
        )
        memory = dict(outcome.memory)
        if outcome.restart:
            return
    raise AssertionError("never restarted")


def daemon(home: Path, *beats: tuple[str, str, float]) -> None:
    """Dagster's storage with these heartbeats: part, daemon, seconds since the epoch."""
    (home / "dagster" / "history").mkdir(parents=True)
    with closing(sqlite3.connect(home / "dagster" / "history" / "runs.db")) as storage, storage:
        storage.execute("CREATE TABLE daemon_heartbeats (daemon_type, daemon_id, timestamp TIMESTAMP)")
        rows = [
            (part, id, datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(" "))
            for part, id, at in beats
        ]
        storage.executemany("INSERT INTO daemon_heartbeats VALUES (?, ?, ?)", rows)


def test_the_daemon_is_alive_while_all_its_parts_beat(tmp_path: Path) -> None:
    assert daemon_beat(tmp_path) is None
    daemon(tmp_path, ("SENSOR", "a", NOW - 9), ("SCHEDULER", "a", NOW - 70), ("GONE", "before", NOW - 9_000))
    beat = daemon_beat(tmp_path)
    assert beat == NOW - 70
    assert judge_daemon(beat, 1000, NOW).health is Health.ok
    assert judge_daemon(beat, 1000, NOW + 200).health is Health.hung
    assert judge_daemon(beat, 60, NOW).health is Health.unknown, "of an earlier run"
    assert judge_daemon(None, 400, NOW).health is Health.hung


def test_young_process_may_still_be_starting() -> None:
    assert not any(rounds(9, {"land": HUNG}, uptime=60))


def test_what_starts_slowly_is_noted_as_long_as_it_works_and_was_not_well() -> None:
    page = process("page", uptime=1000)
    seen = decide({}, {"page": page}, {"page": HUNG}, NOW, worked={"page": 3.0})
    assert seen.starting == {"page"}
    still = decide(seen.memory, {"page": page}, {"page": HUNG}, NOW, worked={"page": 3.0})
    assert not still.starting, "it did nothing between two looks"
    well = decide(seen.memory, {"page": page}, {"page": WELL}, NOW, worked={"page": 4.0})
    assert not well.starting and well.memory["page"].well_since == page.started
    assert not decide(well.memory, {"page": page}, {"page": HUNG}, NOW, worked={"page": 9.0}).starting


@pytest.mark.parametrize("server", ["kafka", "warehouse"])
def test_workers_wait_for_a_hung_server_which_is_restarted(server: str) -> None:
    assert rounds(3, {"land": HUNG, server: HUNG})[-1] == {server: "no answer"}


def test_workers_wait_while_a_server_is_down() -> None:
    down = {**SERVERS, "kafka": process("kafka", ProcessStates.BACKOFF), "land": process("land")}
    assert not decide({"land": RestartState(9)}, down, {"land": HUNG}, NOW, limit=3).restart


def test_given_up_is_started_again_with_longer_and_longer_pauses() -> None:
    memory: dict[str, RestartState] = {}
    starts = []
    given_up = {**SERVERS, "land": process("land", ProcessStates.FATAL)}
    for second in range(0, 600, 10):
        outcome = decide(memory, given_up, {}, NOW + second)
        memory = dict(outcome.memory)
        if outcome.start:
            starts.append(second)
    assert starts == [0, FIRST_PAUSE, 3 * FIRST_PAUSE, 7 * FIRST_PAUSE, 15 * FIRST_PAUSE]


@pytest.mark.parametrize(
    ("beat", "uptime", "health"),
    [
        (NOW - 1, 500, Health.ok),
        (NOW - 61, 500, Health.hung),
        (None, 500, Health.hung),
        (None, 5, Health.starting),
        (NOW - 500, 5, Health.starting),
    ],
    ids=["fresh", "old", "never", "starting", "of an earlier run"],
)
def test_heartbeat_is_judged_by_age_within_this_run(
    beat: float | None, uptime: float, health: Health
) -> None:
    assert judge_beat(beat, uptime, NOW).health is health


def test_heartbeat_is_the_age_of_a_file(tmp_path: Path) -> None:
    assert last_beat("land", tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "land.heartbeat").touch()
    os.utime(tmp_path / "run" / "land.heartbeat", (NOW, NOW))
    assert last_beat("land", tmp_path) == NOW


def serving(settings: Settings) -> tuple[ThreadingHTTPServer, Thread]:
    server = docs.server(settings)
    thread = Thread(target=server.serve_forever)
    thread.start()
    return server, thread


def test_docs_are_served_and_probed_over_http(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, docs_port=free_port(), console_admin_password="a password of tests")
    service = next(service for service in SERVICES if service.name == "docs")
    assert probe(service, settings, 100, NOW).health is Health.hung
    server, thread = serving(settings)
    (tmp_path / "docs" / "index.html").write_text("figures")
    try:
        address = f"http://127.0.0.1:{settings.docs_port}/"
        known = {"Authorization": basic(settings.console_admin_password)}
        with urlopen(Request(address, headers=known)) as answer:
            assert answer.read() == b"figures"
        assert probe(service, settings, 100, NOW) == WELL
        unwell = probe(replace(service, path="/nothing"), settings, 100, NOW)
        assert unwell.health is Health.unwell and unwell.detail.startswith("HTTP 401: sign in as admin")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{settings.docs_port}/")


def test_who_has_the_project_is_well_while_it_listens_at_its_socket(tmp_path: Path) -> None:
    settings, service = (
        Settings(home=tmp_path),
        next(each for each in SERVICES if each.name == "dagster-code"),
    )
    assert probe(service, settings, 100, NOW).health is Health.hung
    code_socket(tmp_path).parent.mkdir()
    with socket(AF_UNIX) as listening:
        listening.bind(str(code_socket(tmp_path)))
        listening.listen()
        assert probe(service, settings, 100, NOW) == WELL
    hung = probe(service, settings, 100, NOW)
    assert hung.health is Health.hung, "what a program killed has left is a file, and nobody listens there"


def test_what_cannot_be_asked_is_unknown() -> None:
    assert probe(Service("x", "x:x", "process"), Settings(), 100, NOW).health is Health.unknown


@pytest.mark.parametrize("name", ["kafka", "warehouse"])
def test_absent_servers_are_hung(name: str) -> None:
    settings = Settings(kafka_port=free_port(), warehouse_port=free_port())
    service = next(service for service in SERVICES if service.name == name)
    assert probe(service, settings, 100, NOW).health is Health.hung


def test_no_supervisor_no_processes(tmp_path: Path) -> None:
    assert Control(tmp_path).processes() is None


def test_status_names_what_a_service_set_aside(tmp_path: Path) -> None:
    settings = settings_from({"LIAOWANG_HOME": str(tmp_path)})
    Aside(tmp_path, "push", lambda: NOW).add("push 7", "no header holds it")
    told = {state.name: (state.health, state.detail) for state in status(settings)}
    assert told["push"] == (
        "unwell",
        "1 set aside since 1970-01-12T13:46:40+00:00, the newest push 7: no header holds it",
    )
    assert told["land"] == ("unknown", "")
