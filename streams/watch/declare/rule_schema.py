"""The JSON Schema of rule files, for editors: completion, and the same complaints while one types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.shapes import DEFINITIONS, ByKind, Json
from streams.watch.declare.condition_form import FORMS
from streams.watch.declare.rule_form import RuleForm

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rule_schema() -> dict[str, Any]:
    """The schema of one rule file; each kind of condition brings its own keys and bounds."""
    return {
        "$schema": DIALECT,
        "$id": "urn:liaowang:rule",
        "title": "Liaowang early-warning rule",
        **RuleForm.keys.schema(),
        "allOf": [*([_condition(kind) for kind in FORMS]), *_depending()],
        "$defs": DEFINITIONS,
    }


def _where(kinds: Sequence[str], then: Json) -> Json:
    """What holds for rules of these kinds."""
    kind = {"const": kinds[0]} if len(kinds) == 1 else {"enum": list(kinds)}
    is_kind = {"properties": {"kind": kind}, "required": ["kind"]}
    return {"if": {"properties": {"condition": is_kind}, "required": ["condition"]}, "then": then}


def _condition(kind: str) -> Json:
    form = FORMS[kind]
    condition = form.keys.schema()
    condition["properties"]["kind"] = {"const": kind}
    feed = {"feed": {"const": form.only_feed}} if form.only_feed else {}
    then: dict[str, Any] = {"properties": {"condition": condition, **feed}, "required": list(form.needs)}
    if form.with_feeds:
        named = {"properties": {key: {"required": ["feed"]} for key in form.with_feeds}}
        then["anyOf"] = [{"required": ["feed"]}, {"properties": {"condition": named}}]
    return _where([kind], then)


def _depending() -> list[Json]:
    """The keys whose shape depends on the kind, once for all kinds that have the same."""
    keys = [each for each in RuleForm.keys.keys if isinstance(each.shape, ByKind)]
    found: list[tuple[list[str], Json]] = []
    for kind in FORMS:
        properties: Json = {"properties": {each.name: each.schema(kind) for each in keys}}
        same = next((kinds for kinds, known in found if known == properties), None)
        if same is None:
            found.append(([kind], properties))
        else:
            same.append(kind)
    return [_where(kinds, properties) for kinds, properties in found]
