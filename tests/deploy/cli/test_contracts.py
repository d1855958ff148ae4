"""`liaowang contracts` as CI and a person run it: folders of contracts, exit codes, no server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.contract import FEEDS

AIR = Path("ecology", "air-quality.yaml")


def liaowang(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "contracts", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str | Path, ...]:
    """Contracts, and a copy of them as released."""
    shutil.copytree(FEEDS, tmp_path / "feeds")
    shutil.copytree(FEEDS, tmp_path / "released")
    return "--feeds", tmp_path / "feeds", "--released", tmp_path / "released"


def edit(folders: tuple[str | Path, ...], old: str, new: str) -> None:
    path = Path(folders[1]) / AIR
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_examples_are_run_for_one_feed_one_file_or_all(folders: tuple[str | Path, ...]) -> None:
    feeds = folders[:2]
    assert liaowang("test", *feeds).stdout.startswith("5 contracts do what their ")
    path = Path(folders[1]) / AIR
    for name in ("ecology.air-quality", path):
        done = liaowang("test", name, *feeds)
        assert (done.returncode, done.stdout) == (0, "1 contracts do what their 15 examples say\n"), (
            done.stderr
        )
    edit(folders, "aqi: 501}", "aqi: 499}")
    edit(folders, "pm25: 83.8}", 'pm25: "83.8"}')
    edit(folders, "averaging: 8h", "averaging: 1h")
    wrong = liaowang("test", "ecology.air-quality", *feeds)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.splitlines() == [
        "ecology.air-quality: a daily mean of a city without an index: expected accepted,"
        " got rejected for pm25: type",
        "ecology.air-quality: an index beyond the scale: expected rejected for aqi: maximum, got accepted",
        "ecology.air-quality: an unknown averaging period: expected rejected for averaging: enum, got accepted",
    ]
    unknown = liaowang("test", "ecology.water", *feeds)
    assert unknown.returncode == 2 and "no such feed and no such file; there are duty.disp" in unknown.stderr


def test_a_rule_of_a_field_that_no_example_shows_is_told(folders: tuple[str | Path, ...]) -> None:
    shown = "averaging: 8h, pm25: 35.5}\n          field: averaging\n          rule: enum"
    edit(folders, shown, "averaging: 1h, pm25: 0}\n          field: pm25\n          rule: missing")
    done = liaowang("test", "ecology.air-quality", *folders[:2])
    told = "ecology.air-quality: examples: none shows what is rejected for averaging: enum\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


def test_a_breaking_change_stops_ci_until_it_is_a_new_major_version(folders: tuple[str | Path, ...]) -> None:
    edit(folders, "maximum: 1000}", "maximum: 900}")
    done = liaowang("check", *folders)
    assert done.returncode == 1
    assert "breaking: pm25: maximum 1000 became 900" in done.stdout
    assert "needs a new major version, 2.0.0, and a new topic" in done.stdout
    refused = liaowang("release", *folders)
    assert refused.returncode == 2 and "ecology.air-quality: version: breaking" in refused.stderr
    edit(folders, "version: 1.0.0", "version: 2.0.0")
    passed = liaowang("check", *folders, "--json")
    assert passed.returncode == 0
    found = {item["feed"]: item for item in json.loads(passed.stdout)}["ecology.air-quality"]
    assert (found["released"], found["version"], found["problems"]) == ("1.0.0", "2.0.0", [])
    moved = {"where": "topic", "what": "feed.ecology.air-quality became feed.ecology.air-quality.v2"}
    assert moved | {"breaking": False} in found["changes"]


def test_the_newest_is_released_by_its_event_type_too(folders: tuple[str | Path, ...]) -> None:
    edit(folders, "maximum: 1000}", "maximum: 1200}")
    edit(folders, "version: 1.0.0", "version: 1.1.0")
    wrong = liaowang("release", "ecology.air-quality.v2", *folders)
    assert wrong.returncode == 2 and "ecology.air-quality.v2: no such feed; there are" in wrong.stderr
    released = liaowang("release", "ecology.air-quality.v1", *folders)
    assert (released.returncode, released.stdout) == (0, "ecology.air-quality: 1.1.0 is released\n")


def test_a_compatible_change_is_released_under_a_higher_version(folders: tuple[str | Path, ...]) -> None:
    edit(folders, "maximum: 1000}", "maximum: 1200}")
    done = liaowang("check", *folders)
    assert done.returncode == 0 and "compatible: pm25: maximum 1000 became 1200" in done.stdout
    refused = liaowang("release", "ecology.air-quality", *folders)
    assert refused.returncode == 2 and "needs a higher version, such as 1.1.0" in refused.stderr
    edit(folders, "version: 1.0.0", "version: 1.1.0")
    released = liaowang("release", "ecology.air-quality", *folders)
    assert (released.returncode, released.stdout) == (0, "ecology.air-quality: 1.1.0 is released\n")
    assert (Path(folders[3]) / AIR).read_bytes() == (Path(folders[1]) / AIR).read_bytes()
    assert "ecology.air-quality 1.1.0: as released" in liaowang("check", *folders).stdout


def test_a_feed_that_goes_is_retired_first(folders: tuple[str | Path, ...]) -> None:
    (Path(folders[1]) / AIR).unlink()
    done = liaowang("check", *folders)
    assert done.returncode == 1 and "release it with status retired first" in done.stdout
    shutil.copyfile(FEEDS / AIR, Path(folders[1]) / AIR)
    edit(folders, "status: active", "status: retired")
    edit(folders, "version: 1.0.0", "version: 1.0.1")
    assert liaowang("release", *folders).returncode == 0
    (Path(folders[1]) / AIR).unlink()
    assert liaowang("release", *folders).returncode == 0
    assert not (Path(folders[3]) / AIR).exists()


def test_an_unknown_feed_is_named(folders: tuple[str | Path, ...]) -> None:
    done = liaowang("release", "ecology.noise", *folders)
    assert done.returncode == 2 and "ecology.noise: no such feed; there are duty.disposition" in done.stderr
