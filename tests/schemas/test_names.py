"""Names that the platform has itself are refused where they are declared, by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.contract import load_contracts, parse_contract
from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.names import MARTS, OWN_TOPICS, TABLES, check_id, check_table, check_topic
from schemas.tables import OWN_COLUMNS
from tests.schemas.test_contract import PATH, custom, document


def renamed(name: str) -> dict[str, Any]:
    """The air-quality contract with one more field of this name."""
    edited = document()
    more = {
        "name": name,
        "logicalType": "string",
        "required": False,
        "classification": "public",
        "description": "x",
    }
    edited["schema"][0]["properties"].append(more)
    return edited


@pytest.mark.parametrize("name", sorted(OWN_COLUMNS))
def test_no_field_has_the_name_of_a_column_of_the_platform(name: str) -> None:
    with pytest.raises(
        Misdeclared, match=rf"air-quality\.yaml: .*name: '{name}' is a column of the platform"
    ):
        parse_contract(yaml.safe_dump(renamed(name), allow_unicode=True), PATH)


def test_a_field_has_at_most_64_characters() -> None:
    parse_contract(yaml.safe_dump(renamed("f" * 64), allow_unicode=True), PATH)
    with pytest.raises(Misdeclared, match="name: has 65 characters; there may be 64"):
        parse_contract(yaml.safe_dump(renamed("f" * 65), allow_unicode=True), PATH)


@pytest.mark.parametrize(
    ("id", "said"),
    [
        *((f"{name.partition('_')[0]}.{name.partition('_')[2]}".replace("_", "-"), "is a table or mart")
          for name in sorted(MARTS | TABLES) if "_" in name),
        ("ecology.air-at", "must not end in 'at'"),
        ("ecology-air.at", "must not end in 'at'"),
        ("ecology.air-v2", "must not end in 'v2'"),
        ("ecology-air.v12", "must not end in 'v12'"),
        ("a." + "b" * 230, "has 232 characters; there may be 100"),
        ("Ecology.air", "must be <domain>.<feed>"),
        ("ecology.air_quality", "must be <domain>.<feed>"),
        ("ecology.air.quality", "must be <domain>.<feed>"),
        ("ecology.\u0661", "must be <domain>.<feed>"),
        ("a.b\n", "must be <domain>.<feed>"),
        ("a.b' or 1", "must be <domain>.<feed>"),
    ],
)  # fmt: skip
def test_no_feed_or_indicator_has_the_name_of_a_table_of_the_platform(id: str, said: str) -> None:
    with pytest.raises(Misdeclared, match=f"f: feed: .*{said}"):
        check_id(Entry("f", "feed", id), "feed")


@pytest.mark.parametrize(
    "id", ["ecology.air", "ecology.air-vat", "ecology.flat", "a.v", "a.b-v2x", "a." + "b" * 98]
)
def test_other_names_are_free(id: str) -> None:
    assert check_id(Entry("f", "feed", id), "feed") == id


def test_two_ids_of_one_table_are_refused() -> None:
    taken = {"x_y": "a feed"}
    check_table(taken, "f", "a.b-c")
    for id, other in (("a-b.c", "a.b-c"), ("a.b-c", "a.b-c"), ("x.y", "a feed")):
        with pytest.raises(Misdeclared, match=rf"f: id: the table \w+ is that of {other} already"):
            check_table(taken, "f", id)


@pytest.mark.parametrize(
    "topic", [*OWN_TOPICS, "__consumer_offsets", "_schemas", ".", "..", "a b", "a" * 250, "\u0661", "a\n"]
)
def test_no_feed_has_a_topic_of_the_platform_or_of_the_broker(topic: str) -> None:
    with pytest.raises(Misdeclared, match="f: topic: "):
        check_topic(Entry("f", "topic", topic), "ecology.air")


def test_the_platforms_own_feeds_keep_their_topics() -> None:
    for topic, feed in OWN_TOPICS.items():
        if feed:
            assert check_topic(Entry("f", "topic", topic), feed) == topic


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("ecology.air-a", "ecology-air.a", "table: ecology_air_a belongs to ecology.air-a already"),
        ("ecology.a", "ecology.b", "topic: readings_x belongs to ecology.a already"),
    ],
)
def test_two_feeds_of_one_table_or_topic_are_refused(
    tmp_path: Path, first: str, second: str, said: str
) -> None:
    for feed, topic in ((first, "readings.x"), (second, "readings_x")):
        edited = document()
        domain, _, name = feed.partition(".")
        custom(edited, "feed")["value"] = feed
        edited["domain"] = domain
        if "belongs to ecology.a already" in said:
            edited["customProperties"].append({"property": "topic", "value": topic})
        path = tmp_path / domain / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(edited, allow_unicode=True), encoding="utf-8")
    with pytest.raises(Misdeclared, match=said):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("lateness", "P36500D"), ("retention", "PT0S"), ("retention", "P36500D"), ("horizon", "P20000D")],
)
def test_spans_keep_times_within_what_the_warehouse_holds(key: str, value: str) -> None:
    edited = document()
    edited["customProperties"] = [item for item in edited["customProperties"] if item["property"] != key]
    edited["customProperties"].append({"property": key, "value": value})
    with pytest.raises(Misdeclared, match=rf"{key}: must be from P\dD to P18250D"):
        parse_contract(yaml.safe_dump(edited, allow_unicode=True), PATH)
