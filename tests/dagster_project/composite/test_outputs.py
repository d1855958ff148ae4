"""What an index writes: tables by name, a summary for programs and people, and the schema of its spec."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping

import jsonschema
import numpy as np
import pytest
import yaml

from dagster_project.composite.compute import compute
from dagster_project.composite.report import summary, summary_html, summary_json
from dagster_project.composite.results import files
from dagster_project.composite.schema import spec_schema
from dagster_project.composite.sensitivity import analyse
from dagster_project.composite.spec import read_spec
from tests.dagster_project.composite.given import EXAMPLES, grid, source

PROSPERITY = (EXAMPLES / "common-prosperity.yaml").read_text()
SMALL = """
index: small
title: {zh: 小指数 & <b>, en: Small index}
tree: {code: I, name: Whole, children: [{code: x, name: Left, children: [a, b]}, {code: y, children: [c]}]}
results: {decimals: 1}
"""
ROWS = [[1, 2, 3], [2, 9, 1], [3, 4, 2], [np.nan, np.nan, np.nan]]


def rows_of(texts: Mapping[str, str], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(texts[name])))


def written(text: str, data: str) -> dict[str, str]:
    declared = read_spec(text, "s.yaml", lambda name: "")
    table = source(data, declared)
    found = compute(declared, table)
    spread = analyse(found, table, declared.sensitivity) if declared.sensitivity else None
    told = summary(found, spread, ("data.csv",))
    page = summary_html(found, spread, told)
    return {**files(found, spread), "summary.json": summary_json(told), "summary.html": page}


def prosperity() -> str:
    """A made-up table for the example: 90 counties, some figures missing."""
    declared = read_spec(PROSPERITY, "s.yaml", lambda name: "")
    random = np.random.default_rng(1)
    values = random.uniform(20, 120, (90, 9))
    values[random.random((90, 9)) < 0.02] = np.nan
    lines = grid(values, declared.tree.indicators).splitlines()
    return "\n".join([lines[0].replace("uCode", "region"), *lines[1:]]) + "\n"


def test_every_step_is_a_file_with_a_row_a_unit() -> None:
    texts = written(SMALL, grid(ROWS))
    for step in ("raw", "denominated", "imputed", "screened", "treated", "normalised", "aggregated"):
        rows = rows_of(texts, f"{step}.csv")
        assert [row["uCode"] for row in rows] == ["u00", "u01", "u02", "u03"], step
        assert list(rows[0])[:5] == ["uCode", "uName", "a", "b", "c"], step
    assert rows_of(texts, "raw.csv")[3]["a"] == ""


def test_results_are_best_first_and_a_unit_without_score_has_no_rank() -> None:
    texts = written(SMALL, grid(ROWS))
    results, ranks = rows_of(texts, "results.csv"), rows_of(texts, "ranks.csv")
    assert list(results[0]) == ["uCode", "uName", "Rank", "I", "x", "y", "a", "b", "c"]
    assert [(row["uCode"], row["Rank"], row["I"]) for row in results] == [
        *(("u02", "1", "57.1"), ("u00", "2", "50"), ("u01", "3", "37.5"), ("u03", "", "")),
    ]
    assert [row["c"] for row in ranks] == ["2", "1", "3", ""]


def test_weights_and_contributions() -> None:
    texts = written(SMALL, grid(ROWS))
    weights = {row["iCode"]: row for row in rows_of(texts, "weights.csv")}
    assert [float(weights[code]["EffWeight"]) for code in ("I", "x", "a", "b", "c")] == [
        1,
        0.5,
        0.25,
        0.25,
        0.5,
    ]
    for row in rows_of(texts, "contributions.csv")[:3]:
        assert sum(float(row[code]) for code in "abc") == pytest.approx(float(row["I"]))


def test_the_summary_says_what_was_done() -> None:
    found = json.loads(written(SMALL + "impute: mean\ntreat: winsorise", grid(ROWS))["summary.json"])
    assert found["steps"]["impute"] == {"method": "mean", "missing": 3, "imputed": 3}
    assert found["results"][0] == {"code": "u02", "name": "u02", "rank": 1, "score": 57.1}
    assert (found["units"], found["indicators"], found["levels"]) == (4, 3, 3)


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    page = written(SMALL, grid(ROWS))["summary.html"]
    assert "小指数 &amp; &lt;b&gt;" in page and "<b>" not in page
    links = re.findall(r"""(?:src|href)=["']?([^"' >]+)""", page)
    assert links == [] and "<script" not in page and page.count("<svg") == 1


def test_the_example_of_common_prosperity_computes_and_says_that_weights_are_examples() -> None:
    texts = written(PROSPERITY.replace("runs: 500", "runs: 20"), prosperity())
    assert len(rows_of(texts, "results.csv")) == 90
    scores = [float(row["prosperity"]) for row in rows_of(texts, "results.csv")]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= 0 and scores[0] <= 100
    assert "权重为示例" in texts["summary.html"] and "权重为示例" in json.loads(texts["summary.json"])["note"]
    assert len(rows_of(texts, "sensitivity.csv")) == 90
    assert json.loads(texts["summary.json"])["sensitivity"]["failed"] == 0
    assert texts["summary.html"].count("<svg") == 2


@pytest.mark.parametrize("name", ["common-prosperity.yaml", "hdi.yaml"])
def test_the_schema_takes_the_examples(name: str) -> None:
    schema = spec_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((EXAMPLES / name).read_text()), schema)


def test_what_the_documentation_shows_is_a_spec() -> None:
    text = (EXAMPLES.parent / "composite-index.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    meta = "Level,iCode,Parent,Type,Denominator\n1,LPI,I,Indicator,\n1,a,I,Indicator,pop\n2,I,,Aggregate,\n"
    declared = read_spec(blocks[0], "doc", lambda name: meta)
    assert (declared.tree.indicators, declared.sensitivity is None) == (("a",), False)
    for block in blocks:
        for part in re.split(r"\n(?=aggregate:)", block):
            partial = {**spec_schema(), "oneOf": [{}]}
            jsonschema.validate(yaml.safe_load(part), partial)


@pytest.mark.parametrize("wrong", [{}, {"tree": "a", "meta": "b"}, {"tree": "a", "wieghts": "equal"}])
def test_the_schema_refuses_what_the_reader_refuses(wrong: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, spec_schema())
