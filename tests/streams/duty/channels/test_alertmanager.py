"""A real Alertmanager (Debian's package) takes our alerts, keeps them open, ends them, and calls a webhook."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.ports import free_port
from streams.duty.notify.channels.config import Channel
from streams.duty.notify.channels.sender import Sender
from streams.duty.retry_policy import Answer
from tests.programs import until
from tests.streams.duty.channels.test_channels import MESSAGE

PROGRAM = shutil.which("prometheus-alertmanager")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Debian's package prometheus-alertmanager")
CONFIG = """
route: {receiver: none, group_wait: 0s}
receivers: [{name: none}]
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Alertmanager on loopback, not part of any cluster."""
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text(CONFIG)
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                str(PROGRAM),
                f"--config.file={folder / 'config.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: ready(f"http://{address}"), "Alertmanager answers")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(20)


def ready(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def alerts(base: str) -> list[Any]:
    with urllib.request.urlopen(f"{base}/api/v2/alerts", timeout=5) as answer:
        found = json.load(answer)
    assert isinstance(found, list)
    return found


def sent(base: str, *messages: Any) -> list[Answer]:
    async def whole() -> list[Answer]:
        channel = Channel("alerts", "alertmanager", {"url": base})
        async with Sender({}, lambda: "n") as sender:
            return [await sender.send(channel, message, time.time()) for message in messages]

    return asyncio.run(whole())


def test_one_alert_an_episode_from_its_opening_through_its_rise_to_its_end(base: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    opened = replace(MESSAGE, level="yellow", at=now)
    assert [each.status for each in sent(base, opened, replace(opened, level="red"))] == [200, 200]
    until(lambda: len(alerts(base)) == 1, "the alert is there")
    alert = alerts(base)[0]
    assert alert["labels"]["alertname"] == "ecology.pm25-high"
    assert alert["annotations"]["level"] == "red"
    assert alert["generatorURL"] == MESSAGE.url
    assert alert["status"]["state"] == "active"
    assert sent(base, replace(opened, ended=True, at=datetime.now(UTC)))[0].status == 200
    until(lambda: alerts(base) == [], "the alert has ended")
