"""Broken files given to commands that need no server: each ends with a documented code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from typer.testing import CliRunner, Result

from deploy.cli import CODES, app
from schemas.errors import LiaowangError, Misdeclared, faults_of
from tests.fuzz.broken import broken_bytes, broken_document, cases
from tests.fuzz.test_bytes import DAYS, EVENT, LINE
from tests.fuzz.test_declarations import RULE_FILES, plain

RULE = next(path for path in RULE_FILES if path.stem == "pm25-high")
SPEC = {
    "index": "demo",
    "tree": {"code": "I", "children": [{"code": "a", "denominator": "pop"}, {"code": "b", "direction": -1}]},
    "denominate": True,
}
TABLE = b"uCode,uName,a,b,pop\nA,x,4,1,2\nB,y,9,5,3\nC,z,,3,1\n"


def run(*arguments: object) -> Result:
    """Run a command; whatever it ends by is an exit or an error of the platform."""
    found = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if not isinstance(found.exception, SystemExit | None):
        assert isinstance(found.exception, LiaowangError), repr(found.exception)
        assert isinstance(found.exception, tuple(CODES))
        error = found.exception
        lines = [str(each) for each in faults_of(error)] if isinstance(error, Misdeclared) else [str(error)]
        assert not any("\n" in line for line in lines)
    assert "Traceback" not in found.output
    return found


@cases(25)
@given(broken_bytes(LINE + EVENT + b"\n" + LINE))
def test_events_of_rules_run(tmp_path: Path, raw: bytes) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(raw)
    assert run("rules", "run", RULE, "--events", events, "--json").exit_code in (0, 1, 2, 3)


@cases(15)
@given(broken_document(plain(RULE)))
def test_a_rule_of_rules_lint_and_run(tmp_path: Path, text: str) -> None:
    rule, events = tmp_path / "rule.yaml", tmp_path / "events.jsonl"
    rule.write_text(text, encoding="utf-8")
    events.write_bytes(LINE)
    run("rules", "lint", rule)
    run("rules", "test", rule)
    run("rules", "run", rule, "--events", events)


@cases(40)
@given(broken_bytes(DAYS))
def test_a_series_of_detect(tmp_path: Path, raw: bytes) -> None:
    series = tmp_path / "series.csv"
    series.write_bytes(raw)
    run("detect", "ewma", "--series", series, "--json")


@cases(40)
@given(broken_bytes(TABLE))
def test_a_table_of_index_compute(tmp_path: Path, raw: bytes) -> None:
    spec, data = tmp_path / "spec.yaml", tmp_path / "data.csv"
    spec.write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    data.write_bytes(raw)
    run("index", "compute", spec, "--data", data, "--out", tmp_path / "out")


@cases(40)
@given(broken_document(SPEC))
def test_a_spec_of_index_compute(tmp_path: Path, text: str) -> None:
    spec, data = tmp_path / "spec.yaml", tmp_path / "data.csv"
    spec.write_text(text, encoding="utf-8")
    data.write_bytes(TABLE)
    run("index", "compute", spec, "--data", data, "--out", tmp_path / "out")
