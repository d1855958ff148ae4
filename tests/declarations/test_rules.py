"""Every rule file loads and does on each example what it says; a wrong one says what would be right."""

from __future__ import annotations

import copy
import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from streams.watch.declare.load import RULES as FOLDER
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Example, Rule
from streams.watch.declare.rule_schema import rule_schema
from streams.watch.declare.rule_set import check_members, ordered
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.trial.offline import said, try_example

CONTRACTS = load_contracts()
RULES = load_rules(CONTRACTS, drafts=True)
EXAMPLES = [(rule, example) for rule in RULES for example in rule.examples]
SCHEMA = jsonschema.Draft202012Validator(rule_schema())


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{r.id}: {e.name}" for r, e in EXAMPLES])
def test_example(rule: Rule, example: Example) -> None:
    assert said(try_example(CONTRACTS, RULES, rule, example)) == example.warns


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_an_example_that_warns_or_says_why_not(rule: Rule) -> None:
    assert any(example.warns for example in rule.examples)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_editors_accept_every_rule(path: Path) -> None:
    SCHEMA.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_schema_beside_the_rules_is_the_generated_one() -> None:
    beside = FOLDER.parent / "rule.schema.json"
    assert json.loads(beside.read_text(encoding="utf-8")) == rule_schema(), "run: liaowang rules schema > it"


def document(**changes: Any) -> dict[str, Any]:
    """A rule that is right, but for the changes; None takes a key away."""
    whole: dict[str, Any] = {
        "rule": "test.rule",
        "version": 1,
        "title": {"zh": "测试", "en": "test"},
        "feed": "ecology.air-quality",
        "subject": ["station"],
        "condition": {"kind": "threshold", "field": "pm25"},
        "levels": {"blue": 100, "red": 200},
        "runbook": "none",
        "duty_role": "duty-desk",
    } | changes
    return {key.rstrip("_"): value for key, value in whole.items() if value is not None}


def parsed(**changes: Any) -> Rule:
    return parse_rule(yaml.safe_dump(document(**changes)), "test.yaml", CONTRACTS)


COUNT = {"kind": "aggregate", "aggregate": "count", "window": "PT1H"}
MEAN = {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT1H"}
STEP = {"where": {"averaging": "1h"}}
WRONG: list[tuple[str, dict[str, Any], str, str, bool]] = [
    # name, changes, key, what would be right, whether the schema sees it too
    ("no such key", {"treshold": 1}, "treshold", "no such key; there are", True),
    ("no version", {"version": None}, "version", "must be given", True),
    ("version 0", {"version": 0}, "version", "1 or more", True),
    ("no such kind", {"condition": {"kind": "magic"}}, "condition.kind", "must be one of threshold", True),
    ("no field", {"condition": {"kind": "threshold"}}, "condition.field", "must be given", True),
    ("text field", {"condition": {"kind": "threshold", "field": "station"}}, "condition.field", "pm25", False),
    ("no such field", {"subject": ["city"]}, "subject", "no field 'city'; there are station", False),
    ("no such template", {"subject": "{region:town}"}, "subject", "city, province", True),
    ("no subject", {"subject": None}, "subject", "must be given", True),
    ("two regions", {"region": ["region", "station"]}, "region", "must be one field or template", True),
    ("a description of numbers", {"description": 5}, "description", "must be text, not 5", True),
    ("no such feed", {"feed": "ecology.water"}, "feed", "no such feed; there are", False),
    ("no feed", {"feed": None}, "feed", "must be given", True),
    ("no levels", {"levels": {}}, "levels", "at least one of blue", True),
    ("no such level", {"levels": {"purple": 1}}, "levels.purple", "no such key", True),
    ("falling levels", {"levels": {"blue": 5, "red": 4}}, "levels", "must be above", False),
    ("level of text", {"levels": {"blue": "high"}}, "levels.blue", "must be a number", True),
    ("level without bound", {"levels": {"blue": {"for": "PT1H"}}}, "levels.blue.threshold", "given", True),
    ("for in words", {"for_": "an hour"}, "for", "ISO 8601 duration such as PT2H", True),
    ("recovery above", {"recovery": 120}, "recovery", "must not be above", False),
    ("empty recovery", {"recovery": {}}, "recovery", "threshold, for, or both", True),
    ("unquoted clock", {"quiet": [{"from": "9:00", "to": "10:00"}]}, "quiet[0].from", '"22:00"', True),
    ("same hours", {"quiet": [{"from": "09:00", "to": "09:00"}]}, "quiet[0].to", "another time", False),
    ("span backwards", {"maintenance": [
     {"from": "2026-03-02T00:00:00+08:00", "to": "2026-03-01T00:00:00+08:00"}]},
     "maintenance[0].to", "later", False),
    ("span without offset", {"maintenance": [{"from": "2026-03-02", "to": "2026-03-03"}]},
     "maintenance[0].from", "offset", True),
    ("one rise", {"flapping": {"rises": 1, "within": "PT1H"}}, "flapping.rises", "2 or more", True),
    ("count of a field", {"condition": COUNT | {"field": "pm25"}}, "condition.field", "leave it out", True),
    ("mean of nothing", {"condition": COUNT | {"aggregate": "mean"}}, "condition.field", "must be given", True),
    ("no window", {"condition": {"kind": "count"}}, "condition.window", "must be given", True),
    ("empty window", {"condition": COUNT | {"window": "PT0S"}}, "condition.window", "longer than nothing", True),
    ("quantile of 2", {"condition": MEAN | {"aggregate": "quantile", "quantile": 2}}, "condition.quantile",
     "between 0 and 1", True),
    ("stray quantile", {"condition": MEAN | {"quantile": 0.5}}, "condition.quantile", "leave it out", True),
    ("absence for", {"condition": {"kind": "absence"}, "levels": {"blue": "PT1H"}, "for_": "PT1H"}, "for",
     "leave it out", True),
    ("absence in numbers", {"condition": {"kind": "absence"}, "levels": {"blue": 3}}, "levels.blue", "text", True),
    ("change of both", {"condition": {"kind": "change", "field": "pm25", "over": "PT1H", "against": "yesterday"}},
     "condition", "either `over`", True),
    ("ratio of half", {"condition": {"kind": "ratio", "of": {"aggregate": "count"}, "window": "PT1H"}},
     "condition.to", "must be given", True),
    ("key outside the subject", {"condition": {"kind": "sequence",
     "first": STEP | {"by": ["region"]}, "then": STEP}, "levels": {"blue": "PT1H"}},
     "condition.first.by", "must be part of the rule's subject", False),
    ("keys of two lengths", {"condition": {"kind": "sequence", "first": STEP,
     "then": STEP | {"by": ["station", "region"]}}, "levels": {"blue": "PT1H"}},
     "condition.then.by", "as many", False),
    ("composite with a feed", {"condition": {"kind": "composite", "of": ["a.b"]}, "levels": {"blue": "any"}},
     "feed", "leave it out", True),
    ("composite of itself", {"feed": None, "subject": None,
     "condition": {"kind": "composite", "of": ["test.rule"]}, "levels": {"blue": "any"}},
     "condition.of", "itself", False),
    ("three of two", {"feed": None, "subject": None, "condition": {"kind": "composite", "of": ["a.b", "c.d"]},
     "levels": {"blue": 3}}, "levels.blue", "from 1 to 2", False),
    ("a divisor below nothing", {"condition": {"kind": "ratio", "window": "PT1H", "minimum": -1,
     "of": {"aggregate": "count"}, "to": {"aggregate": "count"}}, "levels": {"blue": 1}}, "condition.minimum",
     "below 0", True),
    ("an empty baseline of an example", {"examples": [{"name": "x", "events": [], "warns": [], "baseline": None}]},
     "examples[0].baseline", "must be a list", True),
    ("more warnings than a float can tell", {"feed": None, "subject": None, "condition": {"kind": "composite",
     "of": ["a.b"], "count": "warnings"}, "levels": {"blue": 10**90}}, "levels.blue", "must fit 64 bits", True),
    ("more warnings than there are", {"feed": None, "subject": None, "condition": {"kind": "composite",
     "of": ["a.b"], "count": "warnings"}, "levels": {"blue": 10**9}}, "levels.blue", "from 1 to 1000000", False),
    ("one leg", {"feed": None, "condition": {"kind": "correlation", "within": "PT1H",
     "of": [{"feed": "ecology.air-quality"}]}, "levels": {"blue": "any"}}, "condition.of", "two legs", True),
    ("empty key", {"flapping": {"rises": 3, "within": None}}, "flapping.within", "must have a value", True),
    ("no quiet hours", {"quiet": []}, "quiet", "at least one", True),
    ("where in another type", {"where": {"pm25": "80"}}, "where.pm25", "must be a number, as the field is", False),
    ("a step there is not", {"examples": [{"name": "x", "events": [],
     "warns": [{"subject": "S1", "kind": "rises"}]}]}, "examples[0].warns[0].kind", "one of opened", True),
    ("example without offset", {"examples": [{"name": "x", "events": [{"time": "2026-03-01", "data": {}}],
     "warns": []}]}, "examples[0].events[0].time", "offset", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "right", "by_schema"), [each[1:] for each in WRONG], ids=[w[0] for w in WRONG]
)
def test_a_wrong_rule_says_where_and_what_would_be_right(
    changes: dict[str, Any], key: str, right: str, by_schema: bool
) -> None:
    with pytest.raises(Misdeclared) as caught:
        parsed(**changes)
    assert (caught.value.where, caught.value.key) == ("test.yaml", key)
    assert right in caught.value.problem
    assert SCHEMA.is_valid(document(**changes)) != by_schema


ODD: list[Any] = [
    None, "", 0, -1, 2.5, 10**400, math.nan, math.inf, [], {}, True, "x", "P1X", "PT0S", "PT1H", "P9999999999999D",
    "24:00", "{", "{region}", "blue", [1], {"threshold": 1}, "2026-03-01", "999999-01-01T00:00:00Z", "all",
    "count", ["station"], "station", "pm25", "ecology.air-quality",
]  # fmt: skip
DOCUMENTS = [yaml.safe_load(rule.text) for rule in RULES]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document, but for the data of its examples."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        if key != "data":
            yield (*way, key)
            yield from places(each, (*way, key))


@given(st.randoms(use_true_random=False))
@settings(max_examples=250, deadline=None)
def test_a_rule_changed_anywhere_is_taken_or_refused_and_editors_refuse_no_more(random: Random) -> None:
    changed = copy.deepcopy(random.choice(DOCUMENTS))
    for _ in range(random.choice([1, 1, 2])):
        *way, last = random.choice(sorted(places(changed), key=repr))
        holder = functools.reduce(lambda inside, key: inside[key], way, changed)
        what = random.choice(["put", "put", "add", "drop"])
        if what == "add" and isinstance(holder[last], dict):
            holder[last][random.choice(["field", "for", "where", "window", "zz"])] = random.choice(ODD)
        elif what == "drop":
            del holder[last]
        else:
            holder[last] = random.choice(ODD)
    try:
        parse_rule(yaml.safe_dump(changed, allow_unicode=True), "test.yaml", CONTRACTS)
    except Misdeclared as wrong:
        assert wrong.key and wrong.problem
    else:
        SCHEMA.validate(changed)


def test_an_example_that_breaks_its_contract_is_refused() -> None:
    data = {"station": "S1", "region": "330106", "averaging": "1h", "pm25": "high"}
    event = {"time": "2026-03-01T00:00:00Z", "data": data}
    watched = parsed(examples=[{"name": "text", "events": [event], "warns": []}])
    with pytest.raises(Misdeclared, match="text: events: must keep the contract"):
        try_example(CONTRACTS, [watched], watched, watched.examples[0])


def test_the_document_these_start_from_is_right() -> None:
    assert parsed().id == "test.rule"
    SCHEMA.validate(document())


def composite(id: str, *members: str) -> Rule:
    of = {"kind": "composite", "of": list(members)}
    return parsed(rule=id, feed=None, subject=None, condition=of, levels={"blue": "any"})


def test_composites_made_of_each_other_are_refused() -> None:
    rules = [composite("t.a", "t.b"), composite("t.b", "t.c"), composite("t.c", "t.a")]
    with pytest.raises(Misdeclared, match=r"made of each other: t\.\w -> t\.\w -> t\.\w -> t\.\w"):
        check_members(rules)


def test_a_member_that_is_not_there_is_refused() -> None:
    with pytest.raises(Misdeclared, match=r"t\.a: condition\.of: no such rule: t\.b"):
        check_members([composite("t.a", "t.b")])


def test_members_come_before_what_is_made_of_them() -> None:
    rules = [composite("t.a", "t.b"), composite("t.b", "t.c"), parsed(rule="t.c")]
    assert [rule.id for rule in ordered(rules)] == ["t.c", "t.b", "t.a"]


@pytest.mark.parametrize(
    ("subject", "feed", "rekeyed"),
    [
        (["station"], "ecology.air-quality", False),
        (["station", "averaging"], "ecology.air-quality", False),
        ("{region}/{station}", "ecology.air-quality", False),
        (["region"], "ecology.air-quality", True),
        ("{region:city}", "governance.citizen-request", True),
    ],
)
def test_a_subject_without_the_feeds_key_is_gathered(subject: Any, feed: str, rekeyed: bool) -> None:
    condition = {"kind": "count", "window": "PT1H"}
    assert parsed(subject=subject, feed=feed, condition=condition).rekeyed is rekeyed


def rule_file(folder: Path, change: Callable[[str], str] = str) -> Path:
    path = folder / "any" / "where.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(change(yaml.safe_dump(document())), encoding="utf-8")
    return path


def test_in_a_folder_of_rules_the_place_is_the_id(tmp_path: Path) -> None:
    rule_file(tmp_path)
    with pytest.raises(Misdeclared, match=r"any/where\.yaml: rule: must be any\.where"):
        load_rules(CONTRACTS, tmp_path)


def test_drafts_watch_nothing(tmp_path: Path) -> None:
    rule_file(tmp_path, lambda text: text.replace("test.rule", "any.where") + "status: draft\n")
    assert load_rules(CONTRACTS, tmp_path) == ()
    assert [rule.id for rule in load_rules(CONTRACTS, tmp_path, drafts=True)] == ["any.where"]


@pytest.mark.parametrize(
    ("personal", "changes", "key"),
    [
        ("station", {}, "subject"),
        ("pm25", {}, "field"),
        ("station", {"subject": ["region", "{station}"]}, "subject"),
    ],
)
def test_personal_data_never_comes_into_a_warning(personal: str, changes: dict[str, Any], key: str) -> None:
    air = CONTRACTS["ecology.air-quality"]
    fields = tuple(
        replace(field, classification="personal") if field.name == personal else field for field in air.fields
    )
    contracts = {**CONTRACTS, air.feed: replace(air, fields=fields)}
    with pytest.raises(Misdeclared, match=f"{key}.*{personal} is personal data of ecology.air-quality"):
        parse_rule(yaml.safe_dump(document(**changes)), "test.yaml", contracts)


@pytest.mark.parametrize(
    "changes", [{"subject": ["station"]}, {"region": "station"}, {"subject": "{region}-{station}"}]
)
def test_what_names_a_subject_has_one_line(changes: dict[str, Any]) -> None:
    air = CONTRACTS["ecology.air-quality"]
    fields = tuple(replace(field, multiline=field.name == "station") for field in air.fields)
    contracts = {**CONTRACTS, air.feed: replace(air, fields=fields)}
    with pytest.raises(Misdeclared, match=r"station of ecology\.air-quality is multiline"):
        parse_rule(yaml.safe_dump(document(**changes)), "test.yaml", contracts)


def test_a_template_of_subjects_has_no_control_character() -> None:
    with pytest.raises(Misdeclared, match=r"subject.*must not have U\+000A"):
        parse_rule(yaml.safe_dump(document(subject="{region}\n{station}")), "test.yaml", CONTRACTS)
    with pytest.raises(Misdeclared, match=r"yaml: line \d+: the text has the control character"):
        parse_rule(yaml.safe_dump(document(runbook="ring \x07")), "test.yaml", CONTRACTS)
