"""Broken declarations: each is refused in one line that names its file, or is as good as any in use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.build.dependencies import on_candidates
from dagster_project.build.index import load_index
from dagster_project.build.indicator import load_indicator, load_indicators
from dagster_project.build.indicator_sql import view
from dagster_project.composite.spec import read_spec
from dagster_project.mart.views import feed_mart, indicator_mart
from quality.rows import row_rules
from quality.suites import suite_for
from schemas.contract import Contract, load_contracts, parse_contract
from schemas.ddl.platform import platform_tables
from schemas.declaration import parse_yaml
from schemas.decoder import Decoder
from schemas.department_yaml import parse_departments
from schemas.departments import DEPARTMENTS
from schemas.effective import with_department
from schemas.errors import Misdeclared, Rejected, faults_of
from schemas.event import encode_event
from schemas.regions import load_regions
from schemas.tables import contract_statements
from streams.duty.notify.channels.config import parse_channels
from streams.duty.rosters.roster_yaml import parse_roster
from streams.intake.mapping import Row, map_rows
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.trial.offline import try_example
from tests.fuzz.broken import NASTY, broken_bytes, broken_document, cases

CONTRACTS = load_contracts()
TABLES = [contract.table for contract in CONTRACTS.values()]
INDICATORS = load_indicators(TABLES)
RULES = load_rules(CONTRACTS, drafts=True)
ROOT = Path(__file__).parents[2]
FEED = ROOT / "schemas/feeds/health/infectious-disease.yaml"
INDICATOR = ROOT / "dagster_project/indicators/ecology/pm25-quarterly.yaml"
INDEX = ROOT / "dagster_project/indexes/prosperity/cities.yaml"
RULE_FILES = sorted((ROOT / "streams/watch/rules").glob("*/*.yaml"))
EXAMPLE = ROOT / "streams/duty/example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def plain(path: Path) -> Any:
    """The document of a file, its examples cut down to the first: what is broken is more often elsewhere."""
    found = parse_yaml(path.read_text(encoding="utf-8"), str(path)).value
    if isinstance(found, dict) and isinstance(found.get("examples"), list):
        found["examples"] = found["examples"][:1]
    return found


def refused(read: Callable[[], object], where: str) -> bool:
    """Whether a text is refused, as it must be: each fault in one line that begins with its file."""
    try:
        read()
    except Misdeclared as error:
        for line in map(str, faults_of(error)):
            assert line.startswith(where), error
            assert "\n" not in line and len(line) < 4000
        return True
    return False


def use_contract(contract: Contract) -> None:
    """Everything that is derived from a contract, and one event of each example."""
    contract_statements(contract), platform_tables([contract]), feed_mart(contract)
    row_rules(contract), suite_for(contract)
    assert NOW - contract.lateness - contract.horizon < NOW or not contract.lateness + contract.horizon
    decoder = Decoder(contract)
    for example in contract.examples:
        raw = encode_event(id="1", source="/t", type=contract.event_type, time=NOW, data=example.data)
        with suppress(Rejected):
            decoder.decode(raw)
    for mapping in contract.intake:
        cells = {
            column: str(value)
            for column, value in zip(mapping.header, ("2024-01-02", "杭州", "330100", "5", "x"), strict=False)
        }
        list(map_rows(contract, mapping, "t", [Row(2, {**dict.fromkeys(mapping.header, ""), **cells})]))


@cases(250)
@given(broken_document(plain(FEED)))
def test_a_broken_contract(text: str) -> None:
    path = Path("feeds/health/infectious-disease.yaml")
    if not refused(lambda: parse_contract(text, path), str(path)):
        use_contract(parse_contract(text, path))


@cases(120)
@given(broken_document(plain(DEPARTMENTS)))
def test_broken_departments(text: str) -> None:
    if not refused(lambda: parse_departments(text, DEPARTMENTS), str(DEPARTMENTS)):
        for department in parse_departments(text, DEPARTMENTS):
            with_department({"schema": [{"name": "x"}]}, department)


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_a_broken_rule(path: Path) -> None:
    @cases(30)
    @given(broken_document(plain(path)))
    def broken(text: str) -> None:
        def used() -> None:
            rule = parse_rule(text, "rule.yaml", CONTRACTS)
            others = [each for each in RULES if each.id != rule.id]
            for example in rule.examples:
                try_example(CONTRACTS, others, rule, example)

        try:
            used()
        except Misdeclared as error:
            assert not any("\n" in str(each) for each in faults_of(error))

    broken()


@cases(120)
@given(broken_document(plain(INDICATOR)))
def test_a_broken_indicator(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ecology" / "pm25-quarterly.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if not refused(lambda: load_indicator(path, TABLES), str(path)):
        indicator = load_indicator(path, TABLES)
        view(indicator), indicator_mart(indicator), on_candidates(indicator.sql, indicator.lookback)
        indicator.shown(1.5), indicator.target_of(2026), indicator.version, indicator.reach


@cases(120)
@given(broken_document(plain(INDEX)))
def test_a_broken_index(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prosperity" / "cities.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    refused(lambda: load_index(path, INDICATORS), str(path))


@cases(120)
@given(broken_document({"index": "demo", **{key: value for key, value in plain(INDEX)["index"].items()}}))
def test_a_broken_spec_of_an_index(text: str) -> None:
    refused(lambda: read_spec(text, "spec.yaml", lambda name: ""), "spec.yaml")


@cases(200)
@given(broken_document(plain(EXAMPLE / "roster.yaml")))
def test_a_broken_roster(text: str) -> None:
    refused(lambda: parse_roster(text, Path("roster.yaml"), load_regions()), "roster.yaml")


CHANNELS = {
    "channels": {
        "sms": {
            "kind": "sms",
            "url": "http://127.0.0.1/",
            "form": {"to": "{phone}", "said": "{text}"},
            "limit": 70,
        },
        "mail": {"kind": "email", "host": "127.0.0.1", "port": 25, "from": "a@b", "security": "none"},
        "hook": {"kind": "webhook", "url": "http://127.0.0.1/", "instead": "sms"},
    },
    "inhibit": [{"source": ["red"], "target": ["blue"], "equal": ["region"]}],
    "gather": {"red": "PT0S", "blue": "PT30S"},
}


@cases(200)
@given(broken_document(CHANNELS))
def test_broken_channels(text: str) -> None:
    refused(lambda: parse_channels(text, "channels.yaml"), "channels.yaml")


@cases(150)
@given(broken_bytes((EXAMPLE / "roster.yaml").read_bytes()[:1500]))
def test_broken_bytes_of_yaml(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "roster.yaml"
    path.write_bytes(raw)

    def read() -> object:
        from schemas.declaration import read_text

        return parse_roster(read_text(path), path, load_regions())

    refused(read, str(path))


@cases(100)
@given(st.recursive(st.sampled_from(NASTY[:20]), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_any_value_is_no_declaration(value: object) -> None:
    import yaml

    text = yaml.safe_dump(value)
    for read in (
        lambda: parse_contract(text, FEED),
        lambda: parse_rule(text, str(FEED), CONTRACTS),
        lambda: parse_channels(text, str(FEED)),
        lambda: parse_roster(text, FEED, load_regions()),
    ):
        assert refused(read, str(FEED))
