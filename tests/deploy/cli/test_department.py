"""`liaowang department` as a data engineer and a steward run it, without a stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.in_use import FILES, FOLDER, take

WRONG = 2
TRANSPORT = ("--zh", "浙江省交通运输厅", "--en", "Department of Transport", "--region", "330000")


class Desk:
    def __init__(self, path: Path) -> None:
        take(path / "own", FILES)
        self.home, self.folder = path / "home", path / "own" / FOLDER

    def run(
        self, *arguments: str, code: int = 0, group: str = "department"
    ) -> subprocess.CompletedProcess[str]:
        start = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "COLUMNS": "200",
            "LIAOWANG_HOME": str(self.home), "LIAOWANG_DECLARATIONS": str(self.folder),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", start, group, *arguments],
            env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_thirty_first_department_from_command_to_steward(desk: Desk) -> None:
    done = desk.run(
        "add", "transport", *TRANSPORT, "--steward", "transport-steward", "--phone", "0571-1234 5678"
    )
    (shown,) = (line for line in done.stdout.splitlines() if line.startswith("its token, shown this once: "))
    token = shown.removeprefix("its token, shown this once: ")
    assert len(token) >= 40 and token in (desk.home / "secrets.json").read_text()
    assert "nothing is up: `liaowang up` takes it" in done.stdout
    again = desk.run("add", "transport", *TRANSPORT, "--steward", "transport-steward").stdout
    assert "was declared already" in again and token not in again and "department token transport" in again

    listed = {each["department"]: each for each in json.loads(desk.run("list", "--json").stdout)}
    assert listed["transport"]["token"] and not listed["ecology"]["token"]
    assert listed["ecology"]["feeds"] == ["ecology.air-quality"]
    assert listed["common-prosperity-office"]["figures"] == ["prosperity.cities"]
    text = desk.run("show", "transport").stdout
    assert (
        "transport: 浙江省交通运输厅 / Department of Transport" in text
        and "telephone: 0571-1234 5678" in text
    )
    assert token not in text and "feeds: none" in text
    seen = json.loads(desk.run("show", "health", "--json").stdout)
    assert [each["feed"] for each in seen["feeds"]] == ["health.infectious-disease"]
    assert seen["feeds"][0]["levels"][0] == {
        "property": "frequency", "value": 1, "unit": "d", "element": "infectious_disease",
    }  # fmt: skip
    other = desk.run("token", "transport").stdout
    assert token not in other and "its token, shown this once: " in other


def test_what_is_missing_or_wrong_is_one_line(desk: Desk) -> None:
    said = desk.run("add", "transport", "--zh", "交通厅", code=WRONG).stderr
    assert said == "department add: --en: must be given\n"
    said = desk.run("show", "helth", code=WRONG).stderr
    assert (
        said.startswith("department show: helth: no such department: 'helth'")
        and "did you mean health?" in said
    )
    file = desk.folder / "departments.yaml"
    file.write_text(file.read_text().replace("regions:", "region:", 1))
    said = desk.run("list", code=WRONG).stderr
    assert said.startswith(f"{file}:8: departments[0].region: no such key") and len(said.splitlines()) == 1


def test_check_tells_of_declarations_and_tokens(desk: Desk) -> None:
    assert desk.run("check").stdout == "5 departments are declared well\n"
    desk.home.mkdir()
    (desk.home / "secrets.json").write_text(
        '{"LIAOWANG_DEPARTMENT_TOKENS": "ecolgy=x,health=y,governance=z"}'
    )
    said = desk.run("check", code=1).stderr
    assert "the token of ecolgy: no such department" in said and "ecology has no token yet" in said
    path = desk.folder / "indicators/ecology/good-air-days.yaml"
    path.write_text(path.read_text().replace("owner: ecology", "owner: ecolgy"))
    assert f"{path}:16: owner: no such department: 'ecolgy'" in desk.run("check", code=WRONG).stderr
    feed = desk.folder / "feeds/ecology/air-quality.yaml"
    feed.write_text(feed.read_text().replace("value: ecology}", "value: ecolgy}"))
    said = desk.run("check", "--feeds", str(desk.folder / "feeds"), code=WRONG, group="contracts").stderr
    assert "customProperties.department: no such department: 'ecolgy'" in said and f"{feed}:" in said


def test_contracts_are_shown_and_exported_whole(desk: Desk, tmp_path: Path) -> None:
    whole = desk.run("show", "duty.warning", group="contracts").stdout
    assert "username: duty-data-steward" in whole and "element: warning" in whole
    desk.run("export", str(tmp_path / "out"), group="contracts")
    assert (tmp_path / "out/duty/warning.yaml").read_text(encoding="utf-8") == whole
    said = desk.run("export", str(desk.folder / "feeds"), code=WRONG, group="contracts").stderr
    assert "holds the contracts themselves" in said
    assert "no such feed; there are" in desk.run("show", "duty.x", code=WRONG, group="contracts").stderr


def test_the_schema_is_json(desk: Desk) -> None:
    assert json.loads(desk.run("schema").stdout)["required"] == ["departments"]
