"""Every example of every contract, under its own name; and every contract as the standard wants it."""

from __future__ import annotations

import json
from datetime import datetime
from importlib.resources import files

import jsonschema
import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from schemas.contract import RULES, Contract, Example, load_contracts
from schemas.declaration import parse_yaml
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import encode_event
from schemas.fields import SHANGHAI

CONTRACTS = load_contracts()
EXAMPLES = [(contract, example) for contract in CONTRACTS.values() for example in contract.examples]
TIME = datetime(2024, 3, 1, 9, tzinfo=SHANGHAI)


def named(value: Contract | Example) -> str:
    return value.feed if isinstance(value, Contract) else value.name


@pytest.mark.parametrize(("contract", "example"), EXAMPLES, ids=named)
def test_example(contract: Contract, example: Example) -> None:
    raw = encode_event(id="e-1", source="/example", type=contract.event_type, time=TIME, data=example.data)
    decoder = Decoder(contract)
    if example.accepted:
        data = decoder.decode(raw).data
        assert {name: getattr(data, name) is not None for name in example.data if hasattr(data, name)} == {
            name: value is not None for name, value in example.data.items() if hasattr(data, name)
        }
    else:
        with pytest.raises(Rejected) as caught:
            decoder.decode(raw)
        assert (caught.value.field, caught.value.rule) == (example.field, example.rule)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=named)
def test_is_valid_odcs(contract: Contract) -> None:
    document = parse_yaml(contract.path.read_text(encoding="utf-8"), str(contract.path)).value
    assert OpenDataContractStandard(**document).id == f"urn:liaowang:feed:{contract.feed}"
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    assert [error.message for error in jsonschema.Draft201909Validator(schema).iter_errors(document)] == []


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=named)
def test_every_bounded_field_has_a_rejected_example(contract: Contract) -> None:
    shown = {(example.field, example.rule) for example in contract.examples}
    for field in contract.fields:
        if field.enum:
            assert (field.name, "enum") in shown
        if field.pattern:
            assert (field.name, "pattern") in shown
        if field.name == contract.region_field:
            assert (field.name, "region") in shown
        if field.maximum is not None:
            assert (field.name, "maximum") in shown


def test_the_rules_of_examples_are_the_vocabulary() -> None:
    assert {example.rule for _, example in EXAMPLES if not example.accepted} <= RULES.keys()
