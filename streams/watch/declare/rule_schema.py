"""The JSON Schema of rule files, for editors: completion, and the same complaints while one types."""

from __future__ import annotations

from typing import Any

from schemas.levels import RISING
from schemas.topics import WARNING_FEED
from streams.watch.declare.rule_form import FORMS, OPTIONAL, REQUIRED, SOME_TIME, Form, Shape, duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rule_schema() -> dict[str, Any]:
    """The schema of one rule file; each kind of condition brings its own keys and bounds."""
    properties = {**REQUIRED, **OPTIONAL}
    properties["condition"] = {
        "type": "object", "required": ["kind"], "description": "When a subject is in danger.",
        "properties": {"kind": {"enum": list(FORMS)}},
    }  # fmt: skip
    properties["levels"] = {
        "type": "object", "minProperties": 1, "description": "Levels and their bounds, rising.",
    }  # fmt: skip
    return {
        "$schema": DIALECT,
        "title": "Liaowang early-warning rule",
        "type": "object",
        "required": list(REQUIRED),
        "properties": properties,
        "additionalProperties": False,
        "allOf": [_of_kind(kind, form) for kind, form in FORMS.items()],
    }


def _of_kind(kind: str, form: Form) -> Shape:
    condition = {
        "properties": {"kind": {"const": kind}, **form.required, **form.optional},
        "required": ["kind", *form.required],
        "additionalProperties": False,
        "description": form.description,
        **form.also,
    }
    level = _level(form.bounds)
    levels = {"properties": dict.fromkeys(RISING, level), "additionalProperties": False}
    return {
        "if": {"properties": {"condition": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}}},
        "then": {
            "properties": {"condition": condition, "levels": levels, **_barred(kind, form)},
            "required": list(form.whole),
        },
    }


def _barred(kind: str, form: Form) -> Shape:
    """Keys of the rule that mean nothing to a kind."""
    feed = {"feed": {"const": WARNING_FEED}} if kind == "composite" else {}
    return {**feed, "for": False} if form.bounds == "duration" else feed


def _level(bounds: str) -> Shape:
    """A level's bound alone, or with a dwell of its own."""
    bound: dict[str, Shape] = {
        "number": {"type": "number"},
        "duration": {"type": "string", "pattern": SOME_TIME},
        "members": {"oneOf": [{"enum": ["any", "all"]}, {"type": "integer", "minimum": 1}]},
    }
    more = {} if bounds == "duration" else {"for": duration("How long this level must hold.")}
    whole = {
        "type": "object", "properties": {"threshold": bound[bounds], **more}, "required": ["threshold"],
        "additionalProperties": False,
    }  # fmt: skip
    return {"oneOf": [bound[bounds], whole]}
