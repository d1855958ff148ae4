"""Row rules of a contract."""

from __future__ import annotations

from dataclasses import replace

from quality.rows import broken, quote, reasons, row_rules
from schemas.contract import Field, load_contracts

AIR = load_contracts()["ecology.air-quality"]


def test_every_rule_of_a_field_has_a_name_and_a_predicate() -> None:
    rules = {rule.name: rule.broken for rule in row_rules(AIR)}
    assert rules["pm25: minimum"] == "`pm25` <= 0"
    assert rules["pm25: maximum"] == "`pm25` > 1000"
    assert rules["pm25: missing"] == "`pm25` IN (0)"
    assert rules["averaging: enum"] == "`averaging` NOT IN ('1h', '24h')"
    assert rules["station: required"] == "`station` = ''"
    assert "'330110'" in rules["region: region"]
    assert "time: future" in rules


def test_text_in_a_rule_is_quoted() -> None:
    odd = replace(AIR, fields=(Field("a", "string", pattern=r"^\d'x$"),), region_field="")
    (_, rule) = row_rules(odd)
    assert rule.broken == r"NOT match(`a`, '^\\d\'x$')"
    assert quote("a'b\\c") == r"'a\'b\\c'"


def test_absent_values_break_nothing() -> None:
    rules = row_rules(AIR)
    assert "ifNull(`aqi` > 500, 0)" in broken(rules)
    assert broken(()) == "0"
    assert reasons(rules).startswith("arrayFilter(")
