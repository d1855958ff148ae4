"""Every example of every contract, under its own name; and every contract as the standard wants it."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from schemas.contract import RULES, Contract, load_contracts
from schemas.contract_trial import Tried, try_examples, unshown
from schemas.declaration import parse_yaml

CONTRACTS = load_contracts()
TRIED = [(contract, each) for contract in CONTRACTS.values() for each in try_examples(contract)]


def named(value: Contract | Tried) -> str:
    return value.feed if isinstance(value, Contract) else value.name


@pytest.mark.parametrize(("contract", "tried"), TRIED, ids=named)
def test_example(contract: Contract, tried: Tried) -> None:
    assert tried.found == tried.expected


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=named)
def test_is_valid_odcs(contract: Contract) -> None:
    document = parse_yaml(contract.path.read_text(encoding="utf-8"), str(contract.path)).value
    assert OpenDataContractStandard(**document).id == f"urn:liaowang:feed:{contract.feed}"
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    assert [error.message for error in jsonschema.Draft201909Validator(schema).iter_errors(document)] == []


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=named)
def test_every_bounded_field_has_a_rejected_example(contract: Contract) -> None:
    assert unshown(contract) == ()


def test_the_rules_of_examples_are_the_vocabulary() -> None:
    examples = [example for contract in CONTRACTS.values() for example in contract.examples]
    assert {example.rule for example in examples if not example.accepted} <= RULES.keys()
