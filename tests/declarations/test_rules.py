"""Every rule file loads, carries examples, and does on each what the example says."""

from __future__ import annotations

import pytest

from schemas.contract import load_contracts
from streams.watch.offline import evaluate, example_log
from streams.watch.rule import Example, Rule, load_rules

CONTRACTS = load_contracts()
RULES = load_rules(CONTRACTS)
EXAMPLES = [(rule, example) for rule in RULES for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{r.id}: {e.name}" for r, e in EXAMPLES])
def test_example(rule: Rule, example: Example) -> None:
    contract = CONTRACTS[rule.feed]
    found = evaluate(contract, [rule], example_log(contract, example))
    said = [(each.subject, each.kind, "" if each.kind == "recovered" else each.level) for each in found]
    assert said == list(example.warns)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_an_example_that_warns_or_says_why_not(rule: Rule) -> None:
    assert any(example.warns for example in rule.examples)
