"""Whatever is changed in a block: it is refused in one line that names the file, or it makes what it promises."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from itertools import islice
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import strict_yaml
from schemas.contract import parse_contract
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from streams.generate.model import Span
from streams.generate.world import make_world
from tests.streams.generate.examples_of import examples
from tests.streams.generate.world_of import contracts, few_places

BLOCKS = {feed: each for feed, each in {**contracts(), **examples()}.items() if each.simulate}
DURATIONS = ("PT0S", "PT1M", "PT1H", "PT6H", "P1D", "P7D", "P40000D", "month")
WORDS = (
    "county",
    "city",
    "province",
    "event",
    "first",
    "population",
    "office",
    "{region}",
    "{serial}",
    "",
    "x",
)
ODD = (None, True, -1, 1.5, 1e300, float("nan"), float("inf"), 10**19, [], {}, [[]], {1: 2}, "{", [None])


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a block but its root."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places_in(value[key], (*path, key))


def near(value: Any, fields: list[str], rng: Random) -> Any:
    """Something like the value: what an author could have written."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice([0, value * 2, value / 2, value + 1, value - 1, -value, 0.5, 1, 3, value * 1.1])
    if isinstance(value, str):
        return rng.choice(DURATIONS if value.startswith("P") else (*WORDS, *fields))
    if isinstance(value, list):
        return rng.choice(
            [value[::-1], value[:1], value + value[:1], [near(each, fields, rng) for each in value]]
        )
    if isinstance(value, dict) and value:
        left = dict(value)
        moved = left.pop(rng.choice([*left]))
        return rng.choice([left, {**left, rng.choice(fields): moved}])
    return value


@settings(max_examples=60, deadline=None)
@given(feed=st.sampled_from(sorted(BLOCKS)), seed=st.integers(0, 2**63))
def test_a_changed_block_is_refused_or_makes_what_the_contract_takes(feed: str, seed: int) -> None:
    rng, path = Random(seed), BLOCKS[feed].path
    text = deepcopy(strict_yaml.load(path.read_text(encoding="utf-8")))
    block = next(each["value"] for each in text["customProperties"] if each["property"] == "simulate")
    fields = [each["name"] for each in text["schema"][0]["properties"]]
    *way, key = rng.choice([*places_in(block)])
    target = block
    for step in way:
        target = target[step]
    if rng.random() < 0.2:
        del target[key]
    else:
        target[key] = near(target[key], fields, rng) if rng.random() < 0.7 else deepcopy(rng.choice(ODD))
    try:
        contract = parse_contract(yaml.safe_dump(text, sort_keys=False, allow_unicode=True), path)
    except Misdeclared as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return
    decode = Decoder(contract).decode
    for made in make_world([contract], few_places(1), Span(5, date(2026, 3, 9), seed)).feeds:
        for line in islice(made.lines, 400):
            expected = (
                (line.dirt.field, line.dirt.rule) if line.dirt and line.dirt.outcome == "rejected" else None
            )
            try:
                decode(line.raw)
                found = None
            except Rejected as error:
                found = (error.field, error.rule)
            assert found == expected, line
