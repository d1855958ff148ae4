"""OpenLineage: what builds, gates and releases read and made, in files and at an HTTP endpoint."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dagster_project.build.index import load_indexes
from dagster_project.orchestrate.table_pipeline import TablePipeline
from dagster_project.share.open_lineage.events import run_id
from dagster_project.share.open_lineage.outlet import FOLDER, tables_of
from dagster_project.share.open_lineage.post import Post, no_tables
from deploy.ports import free_port
from schemas.contract_model import Field
from schemas.settings import Settings
from tests.dagster_project.house import AIR, CONTRACTS, INDICATORS, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
LOG = logging.getLogger("test")
TABLES = tables_of(list(CONTRACTS.values()), INDICATORS.values(), load_indexes(INDICATORS).values())
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_schemaURL": {"type": "string", "pattern": r"^https://openlineage\.io/spec/"}},
    },
}
DATASETS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {"facets": FACETS, "inputFacets": FACETS, "outputFacets": FACETS},
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d$"},
        "producer": {"type": "string", "pattern": r"^urn:liaowang:\d"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                "facets": FACETS,
            },
        },
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {"facets": FACETS}},
        "inputs": DATASETS,
        "outputs": DATASETS,
    },
}
"""What the standard (2-0-2) demands of a run event."""


def pipeline(house: House, home: Path, url: str = "") -> TablePipeline:
    settings = replace(house.settings, home=home, openlineage_url=url)
    return TablePipeline(
        settings, CONTRACTS, INDICATORS, lambda table, what: None, post=Post(settings, lambda: TABLES)
    )


def told(home: Path) -> list[dict[str, Any]]:
    """Every event kept, each as the standard wants it."""
    (path,) = (home / FOLDER).glob("*.jsonl")
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for event in events:
        jsonschema.validate(event, RUN_EVENT)
    return events


def states(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in events]


def test_a_build_its_gate_and_its_release_are_told(house: House, tmp_path: Path) -> None:
    house.land(reading("a", DAY, 30), reading("b", DAY, 40))
    attempt, made = house.attempt(), pipeline(house, tmp_path)
    made.feed(house.warehouse, AIR, attempt, LOG)
    made.publish(house.warehouse, attempt)
    events = told(tmp_path)
    jobs = ("build.ecology_air_quality", "gate.ecology_air_quality", "release")
    assert states(events) == [(job, state) for job in jobs for state in ("START", "COMPLETE")]
    build, gate, release = events[1], events[3], events[5]
    assert [item["name"] for item in build["inputs"]] == [AIR.topic, "landing.ecology_air_quality"]
    (output,) = build["outputs"]
    assert output["name"] == gate["inputs"][0]["name"] == "built.ecology_air_quality"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert output["facets"]["version"]["datasetVersion"] == attempt.build_id
    assert output["facets"]["ownership"]["owners"] == [{"name": "team:ecology", "type": "OWNER"}]
    (source,) = output["facets"]["columnLineage"]["fields"]["pm25"]["inputFields"]
    assert (source["name"], source["field"]) == ("landing.ecology_air_quality", "pm25")
    assertions = gate["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert all(item["success"] for item in assertions)
    assert {"ledger_contiguous", "ledger_reconciled", "quarantine_share"} < {
        a["assertion"] for a in assertions
    }
    assert [item["name"] for item in release["outputs"]] == ["mart.ecology_air_quality"]
    assert release["outputs"][0]["facets"]["version"]["datasetVersion"] == "1"
    assert {event["run"]["facets"]["parent"]["run"]["runId"].replace("-", "") for event in events} == {
        attempt.build_id
    }
    assert build["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2024-03-01T00:00:00+08:00"


def test_what_did_not_pass_is_a_fail_that_names_the_expectation(house: House, tmp_path: Path) -> None:
    house.land(reading("a", DAY, 30), reading("b", DAY, 5000))
    attempt, made = house.attempt(), pipeline(house, tmp_path)
    made.feed(house.warehouse, AIR, attempt, LOG)
    made.publish(house.warehouse, attempt)
    events = told(tmp_path)
    assert states(events)[1::2] == [
        ("build.ecology_air_quality", "COMPLETE"),
        ("gate.ecology_air_quality", "FAIL"),
        ("release", "FAIL"),
    ]
    assertions = events[3]["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    (broken,) = [item for item in assertions if not item["success"]]
    assert broken["assertion"] == "quarantine_share"
    assert broken["actual"] == f"{DAY}: quarantine_share: 1 of 2 rows are in quarantine"
    said = events[5]["run"]["facets"]["errorMessage"]["message"]
    assert said.startswith("withheld: ecology_air_quality on 2024-03-01") and events[5]["outputs"] == []


def test_what_could_not_be_built_is_a_fail(house: House, tmp_path: Path) -> None:
    house.land(reading("a", DAY, 30))
    wider = replace(AIR, fields=(*AIR.fields, Field("ozone", "number")))
    _, judged = pipeline(house, tmp_path).feed(house.warehouse, wider, house.attempt(), LOG)
    assert not judged.passed
    (start, fail) = told(tmp_path)
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert "ozone" in fail["run"]["facets"]["errorMessage"]["message"]


def test_a_build_that_goes_on_goes_on_with_the_same_runs() -> None:
    build = "5e184afa-a971-4922-a51b-a6cba41c1f31"
    assert run_id(build, "build.a") == run_id(build.replace("-", ""), "build.a") != run_id(build, "build.b")


def test_every_dataset_and_column_told_of_is_there(house: House) -> None:
    """Schemas are those of the warehouse, and each column comes from columns that are there."""
    rows = house.warehouse.rows(
        "SELECT concat(database, '.', table), name, type FROM system.columns"
        " WHERE database IN ('landing', 'built', 'mart')"
    )
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in rows:
        columns.setdefault(table, {})[name] = kind
    datasets = Post(house.settings, lambda: TABLES).outlet.events.datasets
    assert len(TABLES) > len(CONTRACTS) + len(INDICATORS)
    for table in TABLES:
        for output in (datasets.built(table, "b", 0), datasets.shown(table, 1)):
            assert output.facets is not None
            told: Any = output.facets
            own = {"build_id"} if output.name.startswith("built") else {"release_seq"}
            assert {field.name: field.type for field in told["schema"].fields}.items() <= columns[
                output.name
            ].items()
            assert {field.name for field in told["schema"].fields} | own == set(columns[output.name])
            for field in told["columnLineage"].fields.values():
                for source in field.inputFields:
                    assert source.field in columns[source.name]
        assert {item.name for item in datasets.inputs(table)} - {table.topic} <= set(columns)


@contextmanager
def catalogue() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A real HTTP endpoint on a free port, and what it was sent."""
    got: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, json.loads(body)))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_catalogue_is_sent_what_the_file_has(house: House, tmp_path: Path) -> None:
    house.land(reading("a", DAY, 30))
    with catalogue() as (url, got):
        pipeline(house, tmp_path, url).feed(house.warehouse, AIR, house.attempt(), LOG)
    assert [event for _, event in got] == told(tmp_path)
    assert {path for path, _ in got} == {"/api/v1/lineage"}


def test_a_catalogue_that_is_away_stops_no_build_and_is_said_once(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.land(reading("a", DAY, 30))
    with caplog.at_level("WARNING", "liaowang.openlineage"):
        made = pipeline(house, tmp_path, f"http://127.0.0.1:{free_port()}")
        _, judged = made.feed(house.warehouse, AIR, house.attempt(), LOG)
    assert judged.passed and len(told(tmp_path)) == 4
    (record,) = [record for record in caplog.records if record.name == "liaowang.openlineage"]
    assert "is told nothing more in this run" in record.getMessage()


def test_a_post_without_tables_tells_nothing(house: House, tmp_path: Path) -> None:
    post = Post(Settings(home=tmp_path), no_tables)
    post.begun("ecology_air_quality", house.attempt())
    assert not (tmp_path / FOLDER).exists()
