"""What supervisord is told."""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import RawConfigParser
from importlib import import_module
from pathlib import Path

import pytest

from deploy.local.services import SERVICES, Service
from deploy.local.supervisor_conf import supervisor_config
from deploy.local.workers import run_worker
from schemas.errors import Misdeclared
from schemas.settings import Settings


def parsed(home: str = "/home/x") -> RawConfigParser:
    parser = RawConfigParser()
    parser.read_string(supervisor_config(Path(home), "/usr/bin/python"))
    return parser


def test_every_service_is_a_program_that_starts_only_when_told() -> None:
    config = parsed()
    for service in SERVICES:
        program = config[f"program:{service.name}"]
        assert program["autostart"] == "false" and program["autorestart"] == "true"
        assert program["command"].split()[-2:] == [service.name, "--supervised"]


def test_every_log_rotates() -> None:
    config = parsed()
    logs = [config["supervisord"], *(config[f"program:{service.name}"] for service in SERVICES)]
    sizes = [key for section in logs for key in section if key.endswith("logfile_maxbytes")]
    assert len(sizes) == len(logs)


def test_a_home_with_percent_and_spaces_is_left_as_it_is() -> None:
    assert parsed("/home/100% x")["supervisord"]["pidfile"] == "/home/100%% x/run/supervisor.pid"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_is_there_to_run(service: Service) -> None:
    module, function = service.run.split(":")
    assert callable(getattr(import_module(module), function))


def test_every_port_is_a_setting() -> None:
    assert all(isinstance(getattr(Settings(), port), int) for s in SERVICES for port in s.ports)


def test_who_answers_people_goes_before_bursts_and_bursts_before_builds() -> None:
    nice = {service.name: service.nice for service in SERVICES}
    assert 0 == nice["console"] == nice["kafka"] < nice["push"] == nice["duty"] < nice["dagster-daemon"]


def say_nice(_: Settings) -> None:
    """A program that says how nice it is."""
    print(os.nice(0))


def test_a_service_is_as_nice_as_it_is_declared() -> None:
    program = """
from deploy.local import workers
from deploy.local.services import Service
from schemas.settings import Settings
workers.SERVICES = (Service("x", "tests.deploy.local.test_supervisor_conf:say_nice", "process", nice=3),)
workers.run_worker("x", Settings())
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(said.stdout) == min(19, os.nice(0) + 3)


def test_unknown_service_names_those_there_are() -> None:
    with pytest.raises(Misdeclared, match="worker: nope: no such service; there are kafka, warehouse"):
        run_worker("nope", Settings())
