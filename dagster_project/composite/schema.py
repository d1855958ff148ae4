"""The JSON Schema of a spec, made from the same tables of methods that read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagster_project.composite import aggregate, impute, normalise, treat, weigh
from dagster_project.composite.analyse import CORRELATIONS
from dagster_project.composite.methods import Methods, Parameter
from dagster_project.composite.spec_vary import VARIED

JsonSchema = dict[str, Any]
_NUMBER: JsonSchema = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*\d+\s*/\s*\d+\s*$"}]}
_TEXT: JsonSchema = {"type": "string", "minLength": 1}
_SHARE: JsonSchema = {"type": "number", "minimum": 0, "maximum": 1}
_PAIR: JsonSchema = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_KINDS: dict[str, JsonSchema] = {
    "number": {"anyOf": [{"type": "null"}, *_NUMBER["anyOf"]]},
    "share": _SHARE,
    "count": {"type": ["integer", "null"], "minimum": 0},
    "pair": _PAIR,
    "flag": {"type": "boolean"},
    "numbers": {"type": "array", "items": _NUMBER},
    "matrix": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
}


def spec_schema() -> JsonSchema:
    """The JSON Schema (2020-12) of a spec, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Liaowang composite index",
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": ["tree"]}, {"required": ["meta"]}],
        "$defs": {"node": _node()},
        "properties": _properties(),
    }


def _properties() -> dict[str, JsonSchema]:
    return {
        "$schema": _TEXT,
        "schema": _TEXT,
        "index": {**_TEXT, "description": "short name of the index"},
        "title": {"anyOf": [_TEXT, _object({"zh": _TEXT, "en": _TEXT}, ["zh"])]},
        "description": _TEXT,
        "note": {
            **_TEXT,
            "description": "shown with the results: where weights come from, what is an example",
        },
        "owner": _TEXT,
        "data": {
            "anyOf": [
                _TEXT,
                _object({"code": _TEXT, "name": _TEXT, "file": _TEXT, "where": {"type": "object"}}),
            ]
        },
        "meta": {**_TEXT, "description": "file of an iMeta table, beside the spec"},
        "tree": {"$ref": "#/$defs/node"},
        "exclude": {"type": "array", "items": _TEXT, "minItems": 1},
        "denominate": _denominate(),
        "impute": _step(impute.METHODS),
        "screen": _screen(),
        "treat": _step(treat.METHODS),
        "normalise": _step(normalise.METHODS),
        "weights": _weights(),
        "aggregate": _aggregate(),
        "correlation": {"enum": list(CORRELATIONS)},
        "sensitivity": _sensitivity(),
        "results": _object(
            {
                "decimals": {"type": "integer", "minimum": 0, "maximum": 15},
                "ties": {"enum": ["exact", "rounded"]},
            }
        ),
    }


def _object(properties: dict[str, JsonSchema], required: Sequence[str] = ()) -> JsonSchema:
    found: JsonSchema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": list(required)} if required else found


def _map(values: JsonSchema) -> JsonSchema:
    return {"type": "object", "additionalProperties": values}


def _node() -> JsonSchema:
    properties: dict[str, JsonSchema] = {
        "code": {"type": ["string", "integer"]},
        "name": _TEXT,
        "weight": _NUMBER,
        "aggregate": _choice(aggregate.METHODS),
        "children": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/node"}},
        "column": {**_TEXT, "description": "column of the data; the code if not given"},
        "direction": {
            "enum": [1, -1, *("higher", "lower", "positive", "negative", "+", "-", "+1", "1", "-1")]
        },
        "unit": _TEXT,
        "target": _NUMBER,
        "goalposts": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 3},
        "denominator": _TEXT,
        "scale": _NUMBER,
        "source": _TEXT,
        "description": _TEXT,
    }
    return {"anyOf": [_TEXT, _object(properties, ["code"])]}


def _parameter(parameter: Parameter) -> JsonSchema:
    kind = {"enum": list(parameter.choices)} if parameter.choices else _KINDS.get(parameter.kind, _TEXT)
    return {**kind, "description": parameter.about}


def _choice(methods: Methods, more: dict[str, JsonSchema] | None = None) -> JsonSchema:
    """A method by name, or with parameters; names of parameters only, each by its kind."""
    names = [name for method in methods.values() for name in (method.name, *method.aliases)]
    parameters = {
        name: _parameter(one)
        for method in methods.values()
        for one in method.parameters
        for name in (one.name, *one.aliases)
    }
    method: JsonSchema = {
        "anyOf": [{"enum": names}, _TEXT],
        "description": "; ".join(f"{m.name}: {m.about}" for m in methods.values()),
    }
    whole = _object({"method": method, **parameters, **(more or {})})
    return {"anyOf": [{"enum": [*names, None, False]}, _TEXT, whole]}


def _step(methods: Methods) -> JsonSchema:
    return _choice(methods, {"indicators": _map(_choice(methods))})


def _denominate() -> JsonSchema:
    one: JsonSchema = {"anyOf": [_TEXT, _object({"by": _TEXT, "scale": _NUMBER}, ["by"])]}
    return {"anyOf": [{"enum": [True, False, "meta", "tree", "none"]}, _map(one)]}


def _screen() -> JsonSchema:
    units: JsonSchema = {"type": "array", "items": _TEXT, "minItems": 1}
    properties: dict[str, JsonSchema] = {
        "by": _TEXT,
        "available": _SHARE,
        "nonzero": _SHARE,
        "include": units,
        "drop": units,
    }
    return {"anyOf": [{"enum": [False, None, "none"]}, _object(properties)]}


def _levels(values: JsonSchema) -> JsonSchema:
    return {"anyOf": [{"type": "array", "items": values}, _map(values)]}


def _weights() -> JsonSchema:
    whole = {
        "levels": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
        "groups": _map(_choice(weigh.METHODS)),
        "values": _map(_NUMBER),
    }
    return {"anyOf": [*_choice(weigh.METHODS, whole)["anyOf"], _map(_NUMBER)]}


def _aggregate() -> JsonSchema:
    share = {"anyOf": [_SHARE, {"type": "array", "items": _SHARE}]}
    one = _choice(aggregate.METHODS)
    whole = {"levels": _levels(one), "groups": _map(one), "available": share, "dat_thresh": share}
    return {"anyOf": [*_choice(aggregate.METHODS, whole)["anyOf"], {"type": "array", "items": one}]}


def _sensitivity() -> JsonSchema:
    several: JsonSchema = {"type": "array", "minItems": 2}
    steps: dict[str, JsonSchema] = {
        "impute": {**several, "items": _step(impute.METHODS)},
        "treat": {**several, "items": _step(treat.METHODS)},
        "normalise": {**several, "items": _step(normalise.METHODS)},
        "weights": {**several, "items": _weights()},
        "aggregate": {**several, "items": _aggregate()},
        "noise": {"anyOf": [_SHARE, _map(_SHARE)]},
        "exclude": {"type": "boolean"},
    }
    properties: dict[str, JsonSchema] = {
        "runs": {"type": "integer", "minimum": 1},
        "seed": {"type": "integer"},
        "interval": _PAIR,
        "indices": {"type": "boolean"},
        "vary": _object({name: steps[name] for name in VARIED}),
    }
    return {"anyOf": [{"enum": [False, None]}, _object(properties, ["vary"])]}
