"""The language of rules has one model: what it says is kept to the byte, and reader and JSON Schema agree."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declaration import Entry
from schemas.errors import Misdeclared
from streams.watch.declare.condition_form import FORMS
from streams.watch.declare.rule_form import CLOCK, ID, RuleForm
from streams.watch.declare.rule_schema import rule_schema
from streams.watch.declare.templates import FORM
from tests.declarations.rule_language import (
    DOCUMENTS,
    ODD,
    SAID,
    changes,
    holder_of,
    in_use,
    places,
    said_of_all,
    summary,
    told,
)  # fmt: skip
from tests.fuzz.broken import cases

SCHEMA = jsonschema.Draft202012Validator(rule_schema())
KEPT = SAID.read_text(encoding="utf-8").splitlines()
OF_THE_FEEDS = re.compile(
    r"no such feed|must name a feed|has no field|has no such field|as the field is$|is none; there are|"
    r"must be one of (1h|pm25|station|t\.air)|a number above 0, not|bound|above|below|must be part of|"
    r"must name as many fields|must be any, all|a rule cannot be made of itself|must name one or more rules|"
    r"is multiline|is personal|"
    r"must be another time|must be later|nothing stands between|is a timestamp; events are chosen"
)
"""Complaints that take the feeds, or more than one value, to be made."""
UNSAID = re.compile(r"must be at most P36500D|'\d{4}-?.*ISO 8601 with an offset|whole number, not -?\d+\.0$")
"""Complaints of form that JSON Schema cannot make: long durations, days that are none, 1.0."""


def test_what_is_said_of_rules_is_what_was_said() -> None:
    assert summary(said_of_all()) == KEPT[KEPT.index("") + 1 :], (
        "if it is meant: python -m tests.declarations.rule_language"
    )


def test_rules_of_the_repository_are_read_as_before() -> None:
    """A rule whose text has changed since is another, and is not compared."""
    before = dict(line.split(" = ") for line in KEPT[: KEPT.index("")])
    assert {text: read for text, read in in_use().items() if text in before}.items() <= before.items()


def test_each_kind_has_every_key_of_its_form_in_the_documents() -> None:
    """So that each key is changed in each way; a new key is put into rule_language.yaml."""
    for kind, form in FORMS.items():
        given = {key for each in DOCUMENTS if each["condition"]["kind"] == kind for key in each["condition"]}
        assert given == {key.name for key in form.keys.keys}
    assert {key for each in DOCUMENTS for key in each} == {key.name for key in RuleForm.keys.keys}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["rule"])
def test_the_schema_refuses_what_the_reader_refuses_and_no_more(document: dict[str, Any]) -> None:
    SCHEMA.validate(document)
    said = said_of_all()[document["rule"]]
    for name, changed in changes(document):
        taken = said[name].startswith("= ")
        if SCHEMA.is_valid(changed) != taken:
            assert not taken, f"{name}: only the schema refuses it"
            assert OF_THE_FEEDS.search(said[name]) or UNSAID.search(said[name]), f"{name}: {said[name]}"


def wrong(document: Any) -> str:
    """What the form alone says of a document."""
    try:
        RuleForm.read(Entry("f", "", document))
    except Misdeclared as error:
        return error.problem
    return ""


@cases(300)
@given(st.integers(0, 2**32))
def test_of_rules_changed_in_several_places_as_well(seed: int) -> None:
    random = Random(seed)
    document = copy.deepcopy(random.choice(DOCUMENTS))
    odd = (*ODD, 2.0, "2026-02-30T00:00:00Z", "{region}{station}", "{region:moon}")
    for _ in range(random.randint(2, 4)):
        way = random.choice(list(places(document)) or [("rule",)])
        holder, what = holder_of(document, way), random.choice(("put", "put", "add", "out"))
        if what == "add" and isinstance(holder, dict):
            keys = ("field", "for", "where", "window", "by", "region", "feed", "aggregate", "threshold")
            holder[random.choice(keys)] = copy.deepcopy(random.choice(odd))
        elif what == "out" and isinstance(holder, dict):
            holder.pop(way[-1], None)
        elif what == "put":
            holder[way[-1]] = copy.deepcopy(random.choice(odd))
    valid, said = SCHEMA.is_valid(document), wrong(document)
    assert not (said and valid) or UNSAID.search(said), said
    assert valid or not told(document).startswith("= "), "only the schema refuses it"


SUCH = {
    ID: ("a.b", "air-quality.pm25-high"),
    CLOCK.schema["pattern"]: ("22:00", "06:30"),
    FORM: ("station", "{region:city}", "a {b}-{c}"),
}
"""Texts of each pattern of the schema that has no examples of its own."""


def right(schema: Any) -> st.SearchStrategy[Any]:
    """Values that a piece of the schema takes, but for what its keys must be together."""
    if schema is True or not schema.keys() - {"description"}:
        return st.nothing()
    if "$ref" in schema:
        return st.sampled_from(("x", "杭州市", "two\nlines", " a b "))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "oneOf" in schema:
        return st.one_of([right(each) for each in schema["oneOf"] if each is not False])
    return {"string": _text, "number": _number, "integer": _number, "array": _array, "object": _object}[
        schema["type"]
    ](schema)


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    return st.sampled_from(schema.get("examples") or SUCH[schema["pattern"]])


def _number(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if "exclusiveMinimum" in schema:
        return st.floats(0, 1, exclude_min=True, exclude_max=True)
    return st.floats(schema["minimum"], schema["maximum"]) | st.integers(0, 10**9)


def _array(schema: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    most = schema.get("maxItems", schema.get("minItems", 0) + 2)
    unique_by = repr if schema.get("uniqueItems") else None
    return st.lists(
        right(schema["items"]), min_size=schema.get("minItems", 0), max_size=most, unique_by=unique_by
    )


def _object(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        scalars = {"string": st.just("x"), "number": st.just(2.5), "boolean": st.booleans()}
        types = schema.get("additionalProperties", {}).get("type", ["number"])
        return st.dictionaries(st.sampled_from("ab"), st.one_of([scalars[each] for each in types]))
    keys = {key: right(each) for key, each in schema["properties"].items() if each is not False}
    needed = {key: keys.pop(key) for key in schema["required"]} if "required" in schema else {}
    found = st.fixed_dictionaries(needed, optional=keys)
    if "minProperties" in schema:
        return found.filter(bool)
    laws = jsonschema.Draft202012Validator({"allOf": schema.get("allOf", [{}])})
    return st.one_of(found.filter(laws.is_valid), found) if "allOf" in schema else found


def rules_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Documents out of the model: each key as it may be, but for what keys must be together."""
    condition = FORMS[kind].keys.schema()
    condition["properties"] = {**condition["properties"], "kind": {"const": kind}}
    keys = {each.name: each.schema(kind) for each in RuleForm.keys.keys}
    feed = {"const": FORMS[kind].only_feed} if FORMS[kind].only_feed else keys["feed"]
    needed = [
        *RuleForm.keys.schema()["required"],
        *FORMS[kind].needs,
        *(["feed"] * bool(FORMS[kind].with_feeds)),
    ]
    return _object({"properties": {**keys, "condition": condition, "feed": feed}, "required": needed})


@pytest.mark.parametrize("kind", FORMS)
def test_documents_out_of_the_model(kind: str) -> None:
    """What keys must be together decides over each, and reader and schema decide alike."""
    seen = set()

    @cases(100)
    @given(rules_of(kind))
    def alike(document: dict[str, Any]) -> None:
        said = wrong(document)
        assert SCHEMA.is_valid(document) == (not said), said or list(SCHEMA.iter_errors(document))
        seen.add(not said)

    alike()
    assert True in seen


def test_every_description_is_there() -> None:
    """An editor says of each key what it is."""

    def bare(schema: Any, way: str = "") -> Iterator[str]:
        for key, each in schema.get("properties", {}).items() if isinstance(schema, dict) else ():
            if (
                isinstance(each, dict)
                and "const" not in each
                and "description" not in each
                and "enum" not in each
            ):
                yield f"{way}.{key}"
            yield from bare(each, f"{way}.{key}")

    for form in (RuleForm, *FORMS.values()):
        keys = [key.name for key in form.keys.keys if key.name not in ("kind", "title")]
        schema = form.keys.schema()["properties"]
        assert [key for key in keys if "description" not in schema[key]] == []
        assert list(bare({"properties": {key: schema[key] for key in keys}})) == []
