"""`liaowang index` as a person runs it: files in a folder, one line where something is wrong."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """
index: demo
tree: {code: I, children: [{code: a, denominator: pop}, {code: b, direction: -1}]}
denominate: true
"""


def liaowang(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "data.csv").write_bytes("uCode,uName,a,b\nA,甲,4,1\nB,乙,9,5\nC,丙,,3\n".encode("gb18030"))
    (tmp_path / "pop.csv").write_text("uCode,pop\nA,2\nB,3\nC,1\n")
    return tmp_path


def test_an_index_is_computed_from_two_tables(files: Path) -> None:
    out = files / "new" / "out"
    tables = ("--data", files / "data.csv", "--data", files / "pop.csv")
    done = liaowang("index", "compute", files / "spec.yaml", *tables, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 units, 2 indicators" in done.stdout and "甲" in done.stdout
    with (out / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["uName"], row["Rank"], row["I"]) for row in rows] == [
        ("甲", "1", "50"),
        ("乙", "1", "50"),
        ("丙", "1", "50"),
    ]
    assert json.loads((out / "summary.json").read_text())["index"] == "demo"
    assert {path.name for path in out.iterdir()} >= {
        "raw.csv",
        "aggregated.csv",
        "summary.html",
        "weights.csv",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("spec.yaml", "denominate: true", "normalise: nope"), "spec.yaml: normalise: 'nope' must be one of"),
        (("data.csv", "4", "x"), "data.csv: line 2, unit A, column a: 'x' must be a number"),
        (("data.csv", "uCode", "id"), "data.csv: line 1: no column is named uCode"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    files: Path, change: tuple[str, str, str], said: str
) -> None:
    name, old, new = change
    path = files / name
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    done = liaowang(
        "index",
        "compute",
        files / "spec.yaml",
        "--data",
        files / "data.csv",
        "--data",
        files / "pop.csv",
        "--out",
        files / "o",
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not (files / "o").exists()


def test_files_that_are_not_there_are_named(files: Path) -> None:
    gone = liaowang("index", "compute", files / "no.yaml", "--data", files / "data.csv", "--out", files / "o")
    assert (gone.returncode, "no.yaml: file: cannot be read: No such file" in gone.stderr) == (2, True)
    none = liaowang("index", "compute", files / "spec.yaml", "--out", files / "o")
    assert (none.returncode, "data.file: must be given where --data is not" in none.stderr) == (2, True)


def test_the_schema_is_printed() -> None:
    done = liaowang("index", "schema")
    assert done.returncode == 0 and json.loads(done.stdout)["title"] == "Liaowang composite index"


def test_failed_runs_of_the_sensitivity_analysis_are_said_and_end_with_3(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("uCode,a,b\nA,1,3\nB,2,9\nC,5,4\n")
    tree = "tree: {code: I, children: [a, b]}\n"
    vary = "sensitivity: {runs: 40, vary: {aggregate: [arithmetic, geometric]}}\n"
    (tmp_path / "spec.yaml").write_text(tree + vary)
    given = (tmp_path / "spec.yaml", "--data", tmp_path / "data.csv", "--out", tmp_path / "out")
    done = liaowang("index", "compute", *given)
    assert (done.returncode, done.stderr) == (3, "")
    said = json.loads((tmp_path / "out" / "summary.json").read_text())["sensitivity"]
    assert 0 < said["failed"] < said["tried"] == 40
    assert f"sensitivity: {said['failed']} of 40 runs could not be computed" in done.stdout
    assert "geometric mean cannot take a score of 0" in done.stdout
    (tmp_path / "spec.yaml").write_text(tree + "normalise: {method: minmax, range: [1, 100]}\n" + vary)
    assert liaowang("index", "compute", *given).returncode == 0


def test_indicators_that_determine_each_other_want_a_ridge(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("uCode,a,b,c\nA,1,2,3\nB,2,4,9\nC,3,6,4\nD,5,10,\n")
    spec = "tree: {code: I, children: [a, b, c]}\nimpute: {method: em, ridge: 0}\n"
    given = (tmp_path / "spec.yaml", "--data", tmp_path / "data.csv", "--out", tmp_path / "out")
    (tmp_path / "spec.yaml").write_text(spec)
    done = liaowang("index", "compute", *given)
    assert done.returncode == 2
    assert "determine each other exactly; give a ridge, such as ridge: 1e-06" in done.stderr
    (tmp_path / "spec.yaml").write_text(spec.replace("ridge: 0", "ridge: 1e-6"))
    assert liaowang("index", "compute", *given).returncode == 0
