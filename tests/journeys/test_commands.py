"""Bad input and wrong circumstances as a user meets them: one clear line, the right exit code, no traceback."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from schemas.settings import HOST, PREFIX
from tests.journeys.stack import FEEDS, Stack

AIR = FEEDS[0]
ERROR, WRONG, NOT_WELL, AWAY = 1, 2, 3, 4

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def down() -> Iterator[Stack]:
    """A home that has never been up."""
    with TemporaryDirectory(prefix="liaowang-journey-") as folder:
        yield Stack(Path(folder) / "home")


def one_line(stack: Stack, *arguments: object, code: int, **changes: str) -> str:
    """The one line on standard error that a command ends with."""
    done = stack.liaowang(*arguments, code=code, **changes)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("send", "ecology.noise", "file.csv"),
            WRONG,
            "no feed 'ecology.noise'; there are duty.disposition, duty.warning, ecology",
        ),
        (("send", AIR, "nowhere.csv"), WRONG, "nowhere.csv: file: cannot be read: No such file or directory"),
        (("send", AIR, "/"), WRONG, "/: file: cannot be read: Is a directory"),
        (("worker", "lander"), WRONG, "no such service; there are kafka, warehouse"),
        (("demo", "--data", "nowhere"), ERROR, "there is no such folder; DATA must name one with CSV files"),
        (("generate", "--out", "/dev/null/here"), ERROR, "cannot write to /dev/null/here: Not a directory"),
        (("migrate",), AWAY, "warehouse"),
        (("build", "--pending"), AWAY, "warehouse"),
        (("release", "list"), AWAY, "warehouse"),
        (("indicators",), AWAY, "warehouse"),
        (("ledger", "check", "--wait", "1"), AWAY, "broker"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_told_in_one_line(down: Stack, arguments: tuple[object, ...], code: int, words: str) -> None:
    assert words in one_line(down, *arguments, code=code)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("other.csv", b"a,b\n1,2\n", "cnemc-daily misses the columns city_code, city, year, day_index, pm25"),
        ("empty.csv", b"", "empty.csv"),
        ("picture.csv", bytes(range(256)), "picture.csv"),
    ],
)
def test_files_of_a_wrong_type(down: Stack, tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in one_line(down, "send", AIR, tmp_path / name, code=WRONG)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", AIR), "Missing argument 'files'"),
        (("build", "--from", "2024-01-01"), "give both --from and --to"),
        (("build",), "give either --from and --to, or --pending"),
        (
            ("build", "--from", "yesterday", "--to", "today"),
            "'yesterday' does not match the formats '%Y-%m-%d'",
        ),
        (("generate", "--days", "0"), "'--days': Input should be greater than or equal to 1"),
        (("demo", "--days", "3"), "'--days': Input should be greater than or equal to 5"),
        (("lend",), "No such command 'lend'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_wrong_usage_says_what_is_right(down: Stack, arguments: tuple[object, ...], words: str) -> None:
    assert words in down.liaowang(*arguments, code=WRONG).stderr


def test_broker_away(down: Stack, tmp_path: Path) -> None:
    (tmp_path / "air.jsonl").write_text("{}\n")
    said = one_line(down, "send", AIR, tmp_path / "air.jsonl", "--timeout", 2, code=AWAY)
    assert "the broker cannot be reached" in said and "nothing counts twice" in said


def test_wrong_settings(down: Stack) -> None:
    port, unknown = f"{PREFIX}KAFKA_PORT", f"{PREFIX}COLOUR"
    assert f"{port}: 'many' is not int" in one_line(down, "status", code=WRONG, **{port: "many"})
    assert "no such setting; there are" in one_line(down, "status", code=WRONG, **{unknown: "red"})


def test_status_when_down(down: Stack) -> None:
    told = json.loads(down.liaowang("status", "--json", code=NOT_WELL).stdout)
    assert told["well"] is False and told["home"] == str(down.home)
    assert {service["state"] for service in told["services"]} == {"stopped"}
    assert {service["pid"] for service in told["services"]} == {None}


def test_down_when_down(down: Stack) -> None:
    assert one_line(down, "down", code=0) == "already down"


def test_taken_port(down: Stack) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        said = one_line(down, "up", code=ERROR, **{f"{PREFIX}RECEIVER_PORT": port})
    assert said.startswith(f"receiver: port {port} on {HOST} cannot be used")
    assert f"{PREFIX}RECEIVER_PORT" in said
    assert not (down.home / "supervisord.conf").exists()


def test_a_stack_that_is_up(stack: Stack, tmp_path: Path) -> None:
    stack.liaowang("up")
    assert stack.liaowang("up").stderr.strip().splitlines()[-1] == "already up"
    for server in ("kafka", "warehouse"):
        other = Stack(stack.home)
        said = one_line(other, "worker", server, code=ERROR)
        assert "is in use by process" in said and "liaowang down" in said and f"{PREFIX}HOME" in said
    _rows_that_cannot_be_read_are_named(stack, tmp_path)
    _a_file_is_sent_once(stack, tmp_path)
    assert stack.liaowang("down").stderr.strip().splitlines()[-1] == "down"
    assert one_line(stack, "down", code=0) == "already down"
    told = json.loads(stack.liaowang("status", "--json", code=NOT_WELL).stdout)
    assert {service["state"] for service in told["services"]} == {"stopped"}
    assert all(service["since"] for service in told["services"])


def _rows_that_cannot_be_read_are_named(stack: Stack, folder: Path) -> None:
    """The rest is sent all the same."""
    header = "city_code,city,year,day_index,pm25\n"
    (folder / "partly.csv").write_text(f"{header}330100,Hangzhou,2014,1,83.8\n330100,Hangzhou,2014,x,83.8\n")
    done = stack.liaowang("send", AIR, folder / "partly.csv", code=3)
    assert "partly.csv:3: " in done.stdout


def _a_file_is_sent_once(stack: Stack, folder: Path) -> None:
    done = stack.liaowang("send", AIR, folder / "partly.csv")
    assert "already sent on" in done.stdout
    wrong = stack.liaowang("send", FEEDS[1], folder / "partly.csv", code=WRONG)
    assert "no mapping of health.infectious-disease knows this file" in wrong.stderr
