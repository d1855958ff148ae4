"""The declarations that `make bench-growth` writes are right, as many as it says, and of every kind."""

from __future__ import annotations

from pathlib import Path

from dagster_project.build.indicator import load_indicators
from deploy.local.form import require_right
from schemas.in_use import files_of
from schemas.settings import Settings
from streams.watch.declare.condition_form import FORMS
from streams.watch.declare.load import load_rules
from streams.watch.trial.offline import said, try_example
from tests.benchmarks.growth import write_declarations


def test_a_programme_that_has_grown_is_declared_well(tmp_path: Path) -> None:
    roots = files_of(Settings(declarations=write_declarations(tmp_path / "grown")))
    contracts = require_right(roots)
    rules = load_rules(contracts, roots.rules)
    composites = [rule for rule in rules if rule.members]
    assert (len(contracts), len(rules), len(composites)) == (65, 140, 10)
    assert len([rule for rule in rules if rule.rekeyed]) == 40 + 10
    assert {rule.kind for rule in rules} == set(FORMS)
    assert len(load_indicators([each.table for each in contracts.values()], roots.indicators)) == 140
    tried = [(rule, example) for rule in rules for example in rule.examples]
    assert tried and all(
        said(try_example(contracts, rules, rule, example)) == example.warns for rule, example in tried
    )
