"""`liaowang generate` writes whole files, the same for the same arguments, and says what it cannot do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli.data.generate import generate, generated_feeds
from schemas.contract import FEEDS
from schemas.errors import Misdeclared
from tests.streams.generate.examples_of import EXAMPLES


def _run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(generate)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_it_writes_three_feeds_and_the_list_of_what_was_planted(tmp_path: Path) -> None:
    code, output = _run("--days", "1", "--seed", "5", "--until", "2026-03-01", "--out", str(tmp_path))
    assert code == 0, output
    planted = json.loads((tmp_path / "planted.json").read_text(encoding="utf-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["planted.json", *(f"{feed}.jsonl" for feed in planted["counts"])]
    )
    for feed, counts in planted["counts"].items():
        assert len((tmp_path / f"{feed}.jsonl").read_bytes().splitlines()) == counts["lines"]
    assert planted["span"]["from"] == planted["span"]["until"] == "2026-03-01"


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert _run("--days", "1", "--seed", "5", "--out", str(tmp_path / folder))[0] == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    code, output = _run("--days", "1", "--out", str(tmp_path / "taken"))
    assert code == 1
    assert "cannot write to" in output and "Traceback" not in output


def test_no_days_are_refused() -> None:
    code, output = _run("--days", "0")
    assert code == 2 and "days" in output


def test_one_feed_of_a_folder_of_ones_own_is_generated_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "feeds"
    shutil.copytree(FEEDS / "duty", own / "duty")
    shutil.copytree(EXAMPLES / "feeds" / "governance", own / "governance")
    monkeypatch.setenv("LIAOWANG_DECLARATIONS", str(own.parent))
    code, output = _run("--days", "2", "--feed", "governance.permit", "--out", str(tmp_path / "out"))
    assert code == 0, output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "governance.permit.jsonl",
        "planted.json",
    ]


def test_a_feed_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(Misdeclared, match=r"citizen-requests \(did you mean governance.citizen-request\?"):
        generated_feeds(["governance.citizen-requests"])
