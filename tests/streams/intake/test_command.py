"""`liaowang send` and the gateway as processes: what a person and a supervisor see."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from deploy.cli.data.intake import send
from deploy.cli.stack.caught_up import ends
from deploy.environment import as_environment
from schemas.settings import HOST, Settings
from schemas.topics import REPLAYS
from tests.streams.intake.conftest import COMPACTED, create
from tests.streams.intake.feeds import AIR

pytestmark = pytest.mark.stack
HEADER = "city_code,city,year,day_index,pm25\n"
GATEWAY = """
from deploy.cli.stack.caught_up import ends
from deploy.environment import load_settings
from streams.intake.gateway import main
main(load_settings())
"""


def command(settings: Settings, *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(send)
    environment = {
        key: value for key, value in as_environment(settings).items() if key.startswith("LIAOWANG_")
    }
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], env=environment | {"COLUMNS": "200"}
    )


@pytest.fixture
def ready(kafka: str, settings: Settings) -> Settings:
    """Make the topics a sending needs."""
    create(kafka, REPLAYS, 1, COMPACTED)
    create(kafka, AIR.topic, 2)
    return settings


def test_a_file_is_sent_and_shown_and_then_known(ready: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "330100,杭州,2014,1,83.8\n330100,杭州,2014,soon,1\n330100,杭州\n")
    first = command(ready, AIR.feed, path)
    assert first.exit_code == 3
    for told in (
        "│ rows read             │ 3 ",
        "│ unreadable            │ 2 ",
        "│ events sent           │ 1 ",
        f"│ ticks                 │ {len(ends(ready, [AIR.topic]))} ",
        "a.csv:3: no time: '2014 soon' is not %Y %j",
        "a.csv:4: 2 cells where the header has 5",
    ):
        assert told in first.output
    second = command(ready, AIR.feed, path)
    assert (second.exit_code, "a.csv: already sent on" in second.output) == (0, True)
    assert command(ready, AIR.feed, path, "--again").exit_code == 3


def test_wrong_input_is_told_in_one_line(ready: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    cases: Sequence[tuple[Sequence[object], str]] = [
        (["x.y", "a.csv"], "no feed 'x.y'; there are duty.disposition, duty.warning, ecology.air-quality"),
        ([AIR.feed, tmp_path / "none.csv"], "cannot be read: No such file or directory"),
        (
            [AIR.feed, tmp_path / "x.csv"],
            "cnemc-daily misses the columns city_code, city, year, day_index, pm25",
        ),
        (
            [AIR.feed, tmp_path / "x.csv", "--tick", "soon"],
            "'soon' must be an ISO 8601 duration such as PT1H",
        ),
    ]
    for arguments, told in cases:
        result = command(ready, *arguments)
        assert result.exit_code == 2
        assert told in result.output.replace("\n", "")


def test_a_broker_away_ends_in_one_line(ready: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER)
    result = command(replace(ready, kafka_port=1), AIR.feed, path, "--timeout", "1")
    assert result.exit_code == 4
    assert "the broker cannot be reached; trying again in 0.5 s" in result.output
    assert "nothing counts twice" in result.output.replace("\n", "")


def test_the_gateway_runs_until_it_is_told_to_end(ready: Settings) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", GATEWAY], env=as_environment(ready), stdout=subprocess.PIPE, text=True
    )
    try:
        assert _health(ready) in (200, 503)
        second = subprocess.run(
            [sys.executable, "-c", GATEWAY],
            env=as_environment(ready),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "LIAOWANG_GATEWAY_PORT" in second.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert "request" in [line["event"] for line in lines]


def _health(settings: Settings) -> int:
    """Status of /healthz as soon as there is one."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{settings.gateway_port}/healthz", timeout=5
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the gateway does not answer")
