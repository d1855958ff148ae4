"""Warehouse away, or refusing: landing waits, says so once, and nothing is lost or doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.kafka import kafka_running
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.settings import Settings
from streams import waits
from tests.streams.land.rig import Rig
from tests.streams.land.test_landing import mixed

pytestmark = pytest.mark.stack


@pytest.fixture
def own(kafka: str, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a warehouse of the test's own, to be started by it."""
    assert kafka == settings.kafka
    ensure_secrets(tmp_path / "home")
    yield replace(
        settings, home=tmp_path / "home", warehouse_port=free_port(), warehouse_http_port=free_port()
    )


def test_a_warehouse_killed_in_the_middle_of_a_load_loses_and_doubles_nothing(
    own: Settings, tmp_path: Path
) -> None:
    with warehouse_running(own) as server:
        migrate(own)
        rig = Rig(own, tmp_path / "land.log")
        rig.send(mixed(rig, 20_000))
        with rig.landing(rows=400, longest_pause=0.5) as process:
            rig.until(lambda: rig.landed() > 2000)
            server.kill()
            server.wait()
            rig.until(lambda: "waiting and trying again" in rig.said())
            time.sleep(1.5)
            assert process.poll() is None
            rig.send(mixed(rig, 2_000))
            with warehouse_running(own):
                rig.settle()
                disturbed = rig.everything()
                assert rig.said().count("waiting and trying again") == 1
                assert rig.said().count("writing again:") == 1
                process.terminate()
                process.wait()
                rig.begin_again()
                rig.land()
                assert rig.everything() == disturbed


def test_a_server_that_refuses_inserts_is_waited_for_with_its_reason(rig: Rig) -> None:
    rig.send(mixed(rig, 1000))
    table = f"landing.{rig.contract.table}"
    rig.query(f"RENAME TABLE {table} TO {table}_away")
    with rig.landing(longest_pause=0.5):
        rig.until(lambda: "waiting and trying again" in rig.said())
        assert rig.contract.table in rig.said()
        ledger = "SELECT count() FROM landing.ledger WHERE topic = %(topic)s"
        assert rig.query(ledger, topic=rig.topic) == [(0,)]
        assert rig.contract.table in waits.read(rig.settings.home, "land")["landing"].why
        rig.query(f"RENAME TABLE {table}_away TO {table}")
        rig.settle()
        rig.until(lambda: not waits.read(rig.settings.home, "land"))


def test_landing_waits_for_a_warehouse_that_is_not_up_yet(own: Settings, tmp_path: Path) -> None:
    with warehouse_running(own) as server:
        migrate(own)
        rig = Rig(own, tmp_path / "land.log")
        rig.send(mixed(rig, 100))
        server.terminate()
        server.wait()
    with rig.landing() as process:
        rig.until(lambda: "waiting for it" in rig.said())
        beats = own.home / "run" / "land.heartbeat"
        assert beats.exists()
        with warehouse_running(own):
            rig.settle()
        process.terminate()
        assert process.wait(20) == 0


def test_a_broker_killed_in_the_middle_of_a_load_loses_and_doubles_nothing(
    own: Settings, tmp_path: Path
) -> None:
    own = replace(own, kafka_port=free_port(), kafka_controller_port=free_port())
    with warehouse_running(own), kafka_running(own) as broker:
        migrate(own)
        rig = Rig(own, tmp_path / "land.log")
        rig.send(mixed(rig, 20_000))
        with rig.landing(rows=400) as process:
            rig.until(lambda: rig.landed() > 2000)
            broker.kill()
            broker.wait()
            time.sleep(3)
            assert process.poll() is None
            with kafka_running(own):
                rig.send(mixed(rig, 2_000))
                rig.settle()
                disturbed = rig.everything()
                process.terminate()
                process.wait()
                assert len(rig.said().splitlines()) < 100, "the log is for people"
                rig.begin_again()
                rig.land()
                assert rig.everything() == disturbed
