"""`liaowang indicators lint|test` as a person runs them: one file in seconds, on an engine of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.in_use import FILES

INCIDENCE = Path("indicators", "health", "infectious-incidence.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The declarations of this installation, to be changed."""
    for kind in ("feeds", "rules", "indicators", "indexes"):
        shutil.copytree(getattr(FILES, kind), tmp_path / kind)
    return tmp_path


def indicators(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "indicators", *map(str, arguments)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.getcwd(),
            "COLUMNS": "160",
            "LIAOWANG_DECLARATIONS": str(folder),
            "LIAOWANG_HOME": str(folder / "home"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def edit(folder: Path, old: str, new: str, path: Path = INCIDENCE) -> None:
    text = (folder / path).read_text(encoding="utf-8")
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.stack
@pytest.mark.parametrize("name", ["health.infectious-incidence", "file"])
def test_one_indicator_is_tried_by_its_name_or_its_file(folder: Path, name: str) -> None:
    done = indicators(folder, "test", folder / INCIDENCE if name == "file" else name)
    told = "1 indicators do what their 1 examples say\n"
    assert (done.returncode, done.stdout) == (0, told), done.stderr
    edit(folder, "numerator: 120", "numerator: 119")
    wrong = indicators(folder, "test", folder / INCIDENCE if name == "file" else name)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == (
        "health.infectious-incidence: seven days count, the eighth does not, and fewer cases are better:"
        " 330100.numerator: expected 119, got 120.0\n"
    )


@pytest.mark.stack
def test_sql_that_the_tables_do_not_have_is_told_at_lint(folder: Path) -> None:
    good = indicators(folder, "lint", "health.infectious-incidence")
    assert (good.returncode, good.stdout) == (0, "1 indicators are declared well\n"), good.stderr
    edit(folder, "sum(cases)", "sum(casses)")
    wrong = indicators(folder, "lint", "health.infectious-incidence")
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1
    assert wrong.stderr.startswith(f"{folder / INCIDENCE}: sql: ") and "casses" in wrong.stderr


def test_a_level_that_is_none_is_told_at_lint_and_so_is_a_name(folder: Path) -> None:
    edit(folder, "level: 领先", "level: 領先")
    wrong = indicators(folder, "lint", "health.infectious-incidence")
    assert wrong.returncode == 1
    assert wrong.stderr == (
        f"{folder / INCIDENCE}: examples[0].expect.330200.level: must be 领先, 持平, 落后 or \"\", not '領先'\n"
    )
    unknown = indicators(folder, "test", "health.incidence")
    assert unknown.returncode == 2 and "no such indicator and no such file; there are duty." in unknown.stderr


def test_the_examples_of_an_index_are_run_too(folder: Path) -> None:
    done = indicators(folder, "test", "prosperity.cities")
    assert (done.returncode, done.stdout) == (0, "1 indicators do what their 1 examples say\n"), done.stderr
    edit(folder, "value: 50, rank: 2", "value: 50, rank: 1", Path("indexes", "prosperity", "cities.yaml"))
    wrong = indicators(folder, "test", "prosperity.cities")
    assert wrong.returncode == 1 and "330200.rank: expected 1, got 2" in wrong.stderr
