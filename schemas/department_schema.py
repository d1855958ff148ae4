"""The JSON Schema of `departments.yaml`, for editors: completion, and the same complaints while one types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.department_yaml import EMAIL, ID, LONGEST, PHONE, REQUIRED, SCOPES, STEWARD, TOOLS, UNITS
from schemas.departments import LANGUAGES

Shape = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LINE: Shape = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"^\S([^\r\n]*\S)?$"}


def department_schema(regions: Sequence[str]) -> Shape:
    """The schema of the file; `regions` are the codes there are."""
    keys: Shape = {
        "department": _form(ID.pattern, "Its id, which contracts, indicators and tokens name."),
        "name": _words("What it is called."),
        "regions": _list({"enum": list(regions)}, "All it may send of lies in these."),
        "part_of": _form(ID.pattern, "The department whose feeds it sends, as an office of it."),
        "contact": _object(
            {
                "stewards": _list(_form(STEWARD.pattern, "A login."), "Logins of its data stewards."),
                "office": _words("The office to call."),
                "phone": _form(PHONE.pattern, "Whom to call."),
                "email": _form(EMAIL.pattern, "Whom to write."),
            },
            ("stewards",),
        ),
        "duty_roles": _list({"type": "string"}, "Duty roles of roles.yaml that are its duty."),
        "channels": {
            "type": "array",
            "items": _object(
                {
                    **{name: _LINE for name in ("channel", "description", "url")},
                    "tool": {"enum": list(TOOLS)},
                    "scope": {"enum": list(SCOPES)},
                },
                ("channel", "tool", "scope", "description"),
            ),
        },
        "service_levels": {
            "type": "array",
            "items": _object(
                {
                    "property": _LINE,
                    "value": {"anyOf": [{"type": "number"}, _LINE]},
                    "unit": {"enum": list(UNITS)},
                },
                ("property", "value"),
            ),
        },
    }
    return {
        "$schema": DIALECT,
        "title": "Liaowang departments",
        **_object({"departments": {"type": "array", "items": _object(keys, REQUIRED)}}, ("departments",)),
    }


def _object(properties: Shape, required: Sequence[str]) -> Shape:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _words(description: str) -> Shape:
    return {**_object(dict.fromkeys(LANGUAGES, _LINE), LANGUAGES), "description": description}


def _form(pattern: str, description: str) -> Shape:
    return {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}


def _list(items: Shape, description: str) -> Shape:
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True, "description": description}
