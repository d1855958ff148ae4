"""The `simulate` block is read strictly: what cannot be is refused by file and key, and a simple one is short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import strict_yaml
from schemas.contract import load_contracts, parse_contract
from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from schemas.evolution import changes, evolve
from schemas.simulate.model import Choice, Moment, Number
from streams.generate.model import Span
from streams.generate.world import make_world
from tests.streams.generate.world_of import few_places

EXAMPLES = Path(__file__).parents[1] / "streams" / "generate" / "examples" / "feeds"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "declarations.md"
SHIPPED = Path(__file__).parents[2] / "schemas" / "feeds"
FEEDS = {
    f"{path.parent.name}.{path.stem}": path for root in (EXAMPLES, SHIPPED) for path in root.glob("*/*.yaml")
}
AIR, HEALTH, REQUESTS = "ecology.air-quality", "health.infectious-disease", "governance.citizen-request"
INCIDENT = "safety.incident"
SIMPLE = {"pm25": {"mean": 35, "spread": 0.3}, "averaging": "1h"}
Change = Callable[[dict[str, Any]], Any]


def document(feed: str) -> dict[str, Any]:
    return strict_yaml.load(FEEDS[feed].read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def block_of(text: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each["value"] for each in text["customProperties"] if each["property"] == "simulate"
    )
    return found


def read(feed: str, change: Change) -> Contract:
    """The feed's contract after a change of its block."""
    text = document(feed)
    change(block_of(text))
    return parse_contract(yaml.safe_dump(text, sort_keys=False, allow_unicode=True), FEEDS[feed])


def at(*keys: str | int, to: Any) -> Change:
    """A change that sets what is under these keys; to `...` removes it."""

    def change(block: dict[str, Any]) -> None:
        target: Any = block
        for key in keys[:-1]:
            target = target[key]
        if to is ...:
            del target[keys[-1]]
        else:
            target[keys[-1]] = to

    return change


def instead(block: dict[str, Any]) -> Change:
    """A change that puts another block in the place of the feed's."""

    def change(old: dict[str, Any]) -> None:
        old.clear()
        old.update(block)

    return change


WRONG = [
    pytest.param(case["feed"], at(*case["at"], to=case.get("to", ...)), case["said"], id=case["said"][9:60])
    for case in strict_yaml.load(Path(__file__).with_name("wrong_simulate.yaml").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("feed", "change", "said"), WRONG)
def test_what_cannot_be_is_refused_by_file_and_key(feed: str, change: Change, said: str) -> None:
    with pytest.raises(Misdeclared) as caught:
        read(feed, change)
    line = str(caught.value)
    assert line.startswith(str(FEEDS[feed])) and said in line, line
    assert "\n" not in line


def test_the_examples_of_the_documentation_are_read() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    section = text[text.index("### Simulate") : text.index("## Rule\n")]
    simple, worked = (each.split("```")[0] for each in section.split("```yaml\n")[1:3])
    (listed,) = yaml.safe_load(simple)
    assert read(AIR, instead(listed["value"])).simulate is not None
    assert len(simple.splitlines()) <= 6
    assert read("governance.permit", instead(yaml.safe_load(worked))).simulate is not None


def test_a_simple_reading_takes_the_rest_from_the_contract() -> None:
    contract = read(AIR, instead({"shape": "reading", "every": "PT1H", "fields": SIMPLE}))
    assert contract.simulate is not None
    assert (contract.simulate.subjects.level, contract.simulate.subjects.field) == ("county", "station")
    number = next(made.maker for made in contract.simulate.fields if made.name == "pm25")
    assert isinstance(number, Number) and number.high == 1000 and 0 < number.low <= 0.1
    for made in make_world([contract], few_places(2), Span(3, date(2026, 3, 9), 1)).feeds:
        assert sum(line.dirt is None for line in made.lines) == 3 * 24 * 22


def test_required_fields_of_which_nothing_is_said_come_from_the_contract() -> None:
    contract = read(HEALTH, lambda block: None)
    assert contract.simulate is not None
    made = {each.name: each.maker for each in contract.simulate.fields}
    assert made["date"] == Moment(first=False, shift=(0.0, 0.0), day=True)
    incident = read(INCIDENT, at("fields", "kind", to=...)).simulate
    assert incident is not None
    kinds = {each.name: each.maker for each in incident.fields}
    assert kinds["kind"] == Choice(("traffic", "fire", "water"), (1.0, 1.0, 1.0))


def test_anomalies_of_some_series_alone_are_planted_in_these() -> None:
    contract = read(HEALTH, at("anomalies", 0, "where", to={"disease": "hfmd"}))
    found = make_world([contract], few_places(1), Span(30, date(2026, 3, 9), 5)).anomalies
    assert len(found) == 8
    assert {each.subject.split("|")[1] for each in found} == {"hfmd"}


def test_the_block_promises_nothing_to_those_who_send_or_read() -> None:
    before, after = read(AIR, lambda block: None), read(AIR, at("every", to="PT2H"))
    assert before.simulate != after.simulate
    assert not changes(before, after)
    contracts = load_contracts()
    bare = {
        feed: parse_contract(
            yaml.safe_dump(_without(document(feed)), sort_keys=False, allow_unicode=True), FEEDS[feed]
        )
        for feed in (AIR, HEALTH, REQUESTS)
    }
    assert all(contract.simulate is None for contract in bare.values())
    assert not any(
        item.changes or item.needs
        for item in evolve(bare, {feed: contracts[feed] for feed in bare}, datetime(2026, 3, 1, tzinfo=UTC))
    )


def test_a_released_block_in_words_of_another_time_holds_up_no_check() -> None:
    text = document(AIR)
    block_of(text)["shape"] = "gone"
    old = yaml.safe_dump(text, sort_keys=False, allow_unicode=True)
    with pytest.raises(Misdeclared):
        parse_contract(old, FEEDS[AIR])
    released = parse_contract(old, FEEDS[AIR], simulated=False)
    assert released.simulate is None
    assert not changes(released, load_contracts()[AIR])


def _without(text: dict[str, Any]) -> dict[str, Any]:
    kept = [each for each in text["customProperties"] if each["property"] != "simulate"]
    return {**text, "customProperties": kept}
