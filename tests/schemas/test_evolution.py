"""What may change in a contract: what breaks senders or readers needs a new major version and a new topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.contract import FEEDS, RELEASED, load_contract, load_contracts
from schemas.contract_model import Contract, Field
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import encode_event
from schemas.evolution import changes, evolve
from schemas.fields import SHANGHAI

AIR = load_contract(FEEDS / "ecology" / "air-quality.yaml")
TIME = datetime(2024, 3, 1, 9, tzinfo=SHANGHAI)
NOW = datetime(2026, 3, 1, 9, tzinfo=SHANGHAI)


def edited(name: str, **new: Any) -> Contract:
    """Air quality with one field changed."""
    return replace(
        AIR, fields=tuple(replace(field, **new) if field.name == name else field for field in AIR.fields)
    )


def more(**new: Any) -> Contract:
    """Air quality with one field more."""
    return replace(AIR, fields=(*AIR.fields, Field(**{"name": "ozone", "kind": "number", **new})))


BREAKING: list[tuple[str, Contract, str]] = [
    ("a field removed", replace(AIR, fields=AIR.fields[:-1]), "aqi: the field was removed"),
    ("another type", edited("aqi", kind="number"), "aqi: kind integer became number"),
    ("required", edited("aqi", required=True), "aqi: is required now"),
    ("no longer required", edited("pm25", required=False), "pm25: is optional now: readers meet nulls"),
    ("a new required field", more(required=True), "ozone: a required field was added"),
    ("lower maximum", edited("pm25", maximum=900), "pm25: maximum 1000 became 900"),
    ("higher minimum", edited("aqi", minimum=1), "aqi: minimum 0 became minimum 1"),
    (
        "a bound that is excluded now",
        edited("aqi", minimum=None, exclusive_minimum=0),
        "aqi: minimum 0 became exclusiveMinimum 0",
    ),
    ("a bound where there was none", edited("aqi", maximum=100), "aqi: maximum 500 became 100"),
    ("a value less", edited("averaging", enum=("1h",)), "averaging: values were removed: 24h"),
    ("values where any was", edited("station", enum=("a",)), "station: only some values are allowed now"),
    (
        "another pattern",
        edited("station", pattern="^[0-9]+$"),
        "pattern ^[0-9A-Za-z-]{1,32}$ became ^[0-9]+$",
    ),
    ("shorter", edited("station", max_length=8), "station: maxLength 32 became 8"),
    ("another marker", edited("pm25", missing=(0, 999)), "pm25: missing [0] became [0, 999]"),
    ("another unit", edited("pm25", unit="mg/m3"), "pm25: unit µg/m3 became mg/m3"),
    ("hidden", edited("station", classification="personal"), "classification public became personal"),
    ("pseudonyms", edited("station", pseudonymised=True), "station: pseudonymised none became True"),
    ("another key", replace(AIR, subject=("region",)), "subject: station became region"),
    ("another region", replace(AIR, region_field="station"), "region.field: region became station"),
    ("less skew", replace(AIR, skew=timedelta(minutes=1)), "skew: 0:05:00 became 0:01:00"),
    ("fewer regions", replace(AIR, region_levels=("city",)), "region.levels: city, county became city"),
]
COMPATIBLE: list[tuple[str, Contract, str]] = [
    ("a new optional field", more(), "ozone: an optional field was added"),
    ("higher maximum", edited("pm25", maximum=1200), "pm25: maximum 1000 became 1200"),
    ("no bound", edited("aqi", maximum=None), "aqi: maximum 500 became none"),
    ("lower minimum", edited("aqi", minimum=-1), "aqi: minimum 0 became minimum -1"),
    ("a value more", edited("averaging", enum=("1h", "24h", "8h")), "averaging: values were added: 8h"),
    ("any value", edited("averaging", enum=()), "averaging: any value is allowed now"),
    ("no pattern", edited("station", pattern=""), "station: pattern ^[0-9A-Za-z-]{1,32}$ became any"),
    ("longer", edited("station", max_length=64), "station: maxLength 32 became 64"),
    ("no marker", edited("pm25", missing=()), "pm25: missing [0] became none"),
    ("longer wait", replace(AIR, lateness=timedelta(hours=3)), "lateness: 2:00:00 became 3:00:00"),
    ("more skew", replace(AIR, skew=timedelta(hours=1)), "skew: 0:05:00 became 1:00:00"),
    ("another licence", replace(AIR, licence="CC0-1.0"), "licence: CC-BY-4.0 became CC0-1.0"),
]


def named(value: Any) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("case", "after", "words"), BREAKING, ids=named)
def test_a_breaking_change_needs_a_major_version_and_a_topic(case: str, after: Contract, words: str) -> None:
    (found,) = [change for change in changes(AIR, after) if change.breaking]
    assert words in f"{found.where}: {found.what}"
    for version in ("1.0.0", "1.1.0"):
        assert problems(replace(after, version=version)) == (
            "breaking: needs a new major version, 2.0.0, and a new topic",
        )
    assert problems(replace(after, version="2.0.0")) == (
        "a new major version needs a new topic, not feed.ecology.air-quality",
    )
    assert problems(replace(after, version="2.0.0", topic="feed.ecology.air-quality.v2")) == ()


@pytest.mark.parametrize(("case", "after", "words"), COMPATIBLE, ids=named)
def test_a_compatible_change_needs_a_higher_version_before_it_is_released(
    case: str, after: Contract, words: str
) -> None:
    (found,) = changes(AIR, after)
    assert (f"{found.where}: {found.what}", found.breaking) == (words, False)
    (same,), (higher,) = (evolve(both(AIR), both(replace(after, version=v)), NOW) for v in ("1.0.0", "1.1.0"))
    assert (same.problems, same.needs) == ((), "a higher version, such as 1.1.0")
    assert (higher.problems, higher.needs) == ((), "")


def test_texts_examples_and_mappings_promise_nothing() -> None:
    told = replace(edited("pm25", description="Fine dust."), description="Air.", examples=(), intake=())
    assert changes(AIR, told) == []


def test_a_topic_changes_with_the_major_version_only() -> None:
    moved = replace(AIR, topic="feed.air")
    assert problems(moved) == (
        "another topic (feed.ecology.air-quality before) needs a new major version, 2.0.0",
    )
    assert problems(replace(AIR, version="0.9.0")) == ("version 0.9.0 is lower than the released 1.0.0",)


def test_a_feed_is_retired_before_it_goes() -> None:
    (gone,) = evolve(both(AIR), {}, NOW)
    assert gone.problems == ("a released feed was removed: release it with status retired first",)
    (retired,) = evolve(both(replace(AIR, status="retired")), {}, NOW)
    (new,) = evolve({}, both(AIR), NOW)
    assert retired.problems == new.problems == ()


def test_a_second_major_version_has_a_topic_type_and_table_of_its_own() -> None:
    second = replace(AIR, version="2.0.0")
    assert (second.event_type, second.table) == ("ecology.air-quality.v2", "ecology_air_quality_v2")


def test_the_contracts_here_may_follow_the_released_ones() -> None:
    found = evolve(load_contracts(RELEASED), load_contracts(), NOW)
    assert {item.feed: item.problems for item in found if item.problems} == {}


LIMITS = st.none() | st.integers(-3, 3)


@st.composite
def numbers(draw: st.DrawFn) -> Field:
    low, high = draw(LIMITS), draw(LIMITS)
    assume(low is None or high is None or low <= high)
    excluded = draw(st.booleans())
    return Field(
        name="n",
        kind="integer",
        required=draw(st.booleans()),
        minimum=None if excluded else low,
        exclusive_minimum=low if excluded else None,
        maximum=high,
        missing=tuple(draw(st.sets(st.integers(-3, 3), max_size=2))),
    )


@st.composite
def texts(draw: st.DrawFn) -> Field:
    values = st.text("ab", min_size=1, max_size=3)
    return Field(
        name="n",
        kind="string",
        required=draw(st.booleans()),
        pattern=draw(st.sampled_from(["", "^a", "b$"])),
        max_length=draw(st.none() | st.integers(1, 3)),
        enum=tuple(sorted(draw(st.sets(values, max_size=3)))),
    )


@given(
    st.tuples(numbers(), numbers(), st.none() | st.integers(-4, 4))
    | st.tuples(texts(), texts(), st.none() | st.text("ab", max_size=4))
)
def test_what_was_accepted_is_accepted_after_any_compatible_change(case: tuple[Field, Field, Any]) -> None:
    before, after, value = case
    old, new = (
        replace(AIR, fields=(field,), subject=("n",), region_field="", region_levels=())
        for field in (before, after)
    )
    assume(not any(change.breaking for change in changes(old, new)))
    raw = encode_event(id="e", source="/s", type=old.event_type, time=TIME, data={"n": value})
    if accepts(Decoder(old).decode, raw):
        assert accepts(Decoder(new).decode, raw)


def accepts(decode: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        decode(raw)
    except Rejected:
        return False
    return True


def problems(after: Contract) -> tuple[str, ...]:
    (found,) = evolve(both(AIR), both(after), NOW)
    return found.problems


def both(contract: Contract) -> dict[str, Contract]:
    return {contract.feed: contract}
