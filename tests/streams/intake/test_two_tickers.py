"""Tickers as programs on a real broker: however many run, and however they end, one of them ticks."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.environment import as_environment
from deploy.local.kafka import kafka_running
from deploy.local.process import worker_command
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics
from schemas.contract import load_contracts
from schemas.errors import Unavailable
from schemas.event import decode_tick
from schemas.in_use import FILES, FOLDER, take
from schemas.settings import HOST, Settings
from streams.http_guard import basic
from streams.intake.lease import SESSION_MS, GroupLease, Standing
from streams.intake.stamp import read_stamp, stamp_of
from tests.streams.intake.broker import read
from tests.streams.intake.feeds import AIR

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
EVERY = timedelta(seconds=1)
ADDED = "health/infectious-disease.yaml"


@pytest.fixture(scope="module")
def broker(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker of its own, as the ticker's group has a name of its own; topics of two partitions."""
    home = tmp_path_factory.mktemp("tickers")
    ports = {name: free_port() for name in ("kafka_port", "kafka_controller_port")}
    own = replace(settings, home=home, partitions=2, tick_seconds=EVERY.total_seconds(), **ports)
    with kafka_running(own):
        ensure_topics(own, load_contracts())
        yield own


@contextmanager
def ticker(broker: Settings, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], Settings]]:
    """A ticker as the stack runs it, of a home of its own."""
    settings = replace(broker, home=home, ticker_port=free_port())
    home.mkdir(exist_ok=True)
    with (home / "ticker.log").open("ab") as log:
        process = subprocess.Popen(
            [each for each in worker_command("ticker") if each != "--supervised"],
            env=as_environment(settings),
            stdout=log,
            stderr=log,
        )
    try:
        yield process, settings
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGKILL)


def leads(settings: Settings) -> float | None:
    """What the ticker's metrics say; None where it does not serve them yet."""
    known = {"Authorization": basic(settings.console_admin_password)}
    try:
        with urlopen(Request(f"http://{HOST}:{settings.ticker_port}/metrics", headers=known)) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    families = {each.name: each for each in text_string_to_metric_families(text)}
    return families["liaowang_ticker_leads"].samples[0].value


def ticks(broker: Settings, topic: str = AIR.topic) -> dict[int, list[datetime]]:
    """The clocks of the ticks, by partition, in the order of the log."""
    found = read(broker.kafka, topic)
    told = {at: [decode_tick(raw) for _, raw in records] for at, records in found.items()}
    return {at: [tick.data.clock for tick in each if tick is not None] for at, each in told.items()}


def grown(broker: Settings, topic: str = AIR.topic) -> dict[int, list[datetime]]:
    """The ticks once each partition has three more than now."""
    before = {at: len(each) for at, each in ticks(broker, topic).items()}
    eventually(
        lambda: all(len(each) >= before[at] + 3 for at, each in ticks(broker, topic).items()), "more ticks"
    )
    return ticks(broker, topic)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited for {what}"
        time.sleep(0.2)


def require_one(found: dict[int, list[datetime]]) -> None:
    """Whoever ticks waits EVERY between two rounds; where two do, ticks stand closer than that."""
    for clocks in found.values():
        steps = [later - earlier for earlier, later in pairwise(clocks)]
        assert min(steps) >= EVERY * 0.9, steps


def test_two_tickers_tick_each_partition_once_and_one_takes_over(broker: Settings, tmp_path: Path) -> None:
    with ticker(broker, tmp_path / "one") as (one, first):
        eventually(lambda: leads(first) == 1, "the first to tick")
        with ticker(broker, tmp_path / "two") as (_, second):
            eventually(lambda: leads(second) == 0, "the second to stand by")
            require_one(grown(broker))
            assert (leads(first), leads(second)) == (1, 0), "who comes later takes nothing over"

            one.send_signal(signal.SIGSTOP)
            eventually(lambda: leads(second) == 1, "the second to take over from one that is frozen")
            last = max(map(max, ticks(broker).values()))
            one.send_signal(signal.SIGCONT)
            require_one(grown(broker))
            eventually(lambda: leads(first) == 0, "the first to see that it is out")
            assert leads(second) == 1
            told = (tmp_path / "one/ticker.log").read_text()
            assert "this ticker stands by: the lease is another's" in told and "Traceback" not in told
            assert "another's" not in told.partition("ticks from now on")[0], "nobody had it before the first"
            assert last < max(map(max, ticks(broker).values()))
        eventually(lambda: leads(first) == 1, "the first to tick again, as the second has left")
        require_one(grown(broker))


def test_a_killed_ticker_invents_nothing_for_the_time_it_was_away(broker: Settings, tmp_path: Path) -> None:
    with ticker(broker, tmp_path / "one") as (process, _):
        grown(broker)
        process.kill()
        process.wait()
        before, died = ticks(broker), datetime.now(UTC)
    time.sleep(SESSION_MS / 1000)
    born = datetime.now(UTC)
    with ticker(broker, tmp_path / "one"):
        after = grown(broker)
    require_one(after)
    for at, clocks in after.items():
        fresh = [clock + AIR.lateness for clock in clocks[len(before[at]) :]]
        assert fresh and not [moment for moment in fresh if died < moment < born]


def test_a_feed_that_is_added_is_ticked_without_a_restart(broker: Settings, tmp_path: Path) -> None:
    home = tmp_path / "one"
    home.mkdir()
    take(home, FILES)
    topic = load_contracts()["health.infectious-disease"].topic
    (home / FOLDER / "feeds" / ADDED).unlink()
    with ticker(broker, home) as (process, settings):
        eventually(lambda: leads(settings) == 1, "it to tick")
        grown(broker)
        before = ticks(broker, topic)
        (home / FOLDER / "feeds" / ADDED).write_text("{")
        process.send_signal(signal.SIGHUP)
        eventually(
            lambda: "cannot be taken" in (home / "ticker.log").read_text(), "it to refuse a wrong file"
        )
        grown(broker)
        assert ticks(broker, topic) == before
        take(home, FILES)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: read_stamp(home, "ticker") == stamp_of(settings), "it to have them")
        assert all(len(each) > len(before[at]) for at, each in grown(broker, topic).items())
        assert process.poll() is None


def test_a_lease_is_had_from_a_broker_slower_than_a_poll(
    broker: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join that ends between two polls is thrown away by the next one: the tries in one call stand close."""
    monkeypatch.setattr("streams.intake.lease.POLL_MS", 1)
    lease = GroupLease(broker.kafka)
    try:
        eventually(lambda: lease.standing() is Standing.HOLDS, "the lease", seconds=60)
    finally:
        lease.close()


def test_a_lease_is_told_why_it_cannot_be_had(settings: Settings, kafka: str) -> None:
    for address, said in (
        (f"{HOST}:1", "refused"),
        (kafka, "there is no topic ticker; `liaowang up` makes it"),
    ):
        lease = GroupLease(address)
        with pytest.raises(Unavailable, match=said):
            lease.standing()
        lease.close()
