"""The local broker: on loopback, by the broker's clock, no topic by accident, data kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.local.jars import fetch_jars, find_java
from deploy.local.kafka import answers, kafka_running, server_properties
from deploy.local.process import CannotStart
from deploy.ports import free_port
from schemas.settings import Settings


def executable(folder: Path, name: str, text: str) -> str:
    """A folder for the PATH that holds one program."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(folder)


def test_missing_java_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="needs Java and there is none: install a Java runtime, version 17"):
        find_java(str(tmp_path))


def test_old_java_says_what_to_install(tmp_path: Path) -> None:
    search = executable(tmp_path, "java", "echo 'openjdk version \"1.8.0_312\"' >&2")
    with pytest.raises(CannotStart, match=r"too old for Kafka \(openjdk version \"1\.8"):
        find_java(search)


def test_missing_maven_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="fetched by Maven and there is none: install Maven"):
        fetch_jars(tmp_path / "libs", str(tmp_path))


def test_failing_maven_gives_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    search = executable(tmp_path, "mvn", "echo '[ERROR] repository unreachable'; exit 1")
    with pytest.raises(CannotStart, match="could not fetch Kafka's jars: repository unreachable"):
        fetch_jars(tmp_path / "libs", search)
    assert not (tmp_path / "libs").exists()


def test_jars_are_fetched_once(settings: Settings) -> None:
    assert fetch_jars(fetch_jars(settings.kafka_jars), search="/nowhere") == settings.kafka_jars


def test_every_listener_is_on_loopback() -> None:
    lines = server_properties(Settings()).splitlines()
    listeners = next(line for line in lines if line.startswith("listeners="))
    assert all("//127.0.0.1:" in part for part in listeners.removeprefix("listeners=").split(","))


@pytest.mark.stack
def test_arrival_is_the_brokers_time_and_no_topic_comes_by_accident(kafka: str, settings: Settings) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics({"arrival": {"num_partitions": 1}}, wait_for_metadata=True)
        with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
            sent = producer.send("arrival", b"x", timestamp_ms=1).get(10)
        assert abs(sent.timestamp / 1000 - time.time()) < 60
        with closing(KafkaConsumer(bootstrap_servers=kafka)) as consumer:
            assert consumer.partitions_for_topic("by-accident") in (None, set())
        assert "by-accident" not in admin.list_topics()


@pytest.mark.stack
def test_data_survive_kill_and_restart(settings: Settings) -> None:
    with_home = replace(
        settings,
        home=settings.home / "other",
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
    )
    with kafka_running(with_home) as process:
        assert answers(with_home)
        with closing(KafkaAdminClient(bootstrap_servers=with_home.kafka)) as admin:
            admin.create_topics({"kept": {"num_partitions": 1}}, wait_for_metadata=True)
        with closing(KafkaProducer(bootstrap_servers=with_home.kafka, acks="all")) as producer:
            for at in range(100):
                producer.send("kept", str(at).encode())
            producer.flush(20)
        process.kill()
        process.wait()
    with kafka_running(with_home), closing(KafkaConsumer(bootstrap_servers=with_home.kafka)) as consumer:
        partition = TopicPartition("kept", 0)
        assert consumer.end_offsets([partition]) == {partition: 100}
    shutil.rmtree(with_home.home)


@pytest.mark.stack
def test_second_broker_is_refused_with_port_and_with_folder(kafka: str, settings: Settings) -> None:
    with pytest.raises(CannotStart, match="set LIAOWANG_KAFKA_PORT"), kafka_running(settings):
        pass
    elsewhere = replace(settings, kafka_port=free_port(), kafka_controller_port=free_port())
    in_use = rf"kafka: the data folder {settings.home}/kafka is in use by process \d+; stop it"
    with pytest.raises(CannotStart, match=in_use), kafka_running(elsewhere):
        pass
    assert os.path.exists(settings.home)


def fetched(libs: Path, search: str) -> subprocess.CompletedProcess[str]:
    """What `make setup` runs."""
    given = {**os.environ, "LIAOWANG_KAFKA_LIBS": str(libs), "PATH": search}
    command = [sys.executable, "-m", "deploy.local.jars"]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


def test_setup_fetches_the_jars_into_the_folder_of_the_settings(settings: Settings, tmp_path: Path) -> None:
    again = fetched(settings.kafka_jars, "/nowhere")
    assert (again.returncode, again.stderr) == (0, "") and str(settings.kafka_jars) in again.stdout
    script = 'for each in "$@"; do case $each in -DoutputDirectory=*) /bin/mkdir "${each#*=}";; esac; done'
    done = fetched(tmp_path / "libs", executable(tmp_path, "mvn", script))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "libs").is_dir() and list((tmp_path / "libs").iterdir())


def test_setup_without_maven_says_so_in_one_line(tmp_path: Path) -> None:
    done = fetched(tmp_path / "libs", str(tmp_path))
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "install Maven" in done.stderr
