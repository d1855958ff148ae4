"""The API's description for people: one page made of its OpenAPI document, with nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

STYLE = (Path(__file__).parent / "docs.css").read_text(encoding="utf-8")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One operation, ready to be shown; `body` is the schema of what is sent, as JSON."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    parameters: tuple[tuple[str, str, str, bool, str], ...]
    body: str
    answers: tuple[tuple[str, str], ...]


def page(document: Mapping[str, Any]) -> HTMLResponse:
    """The page; its policy lets nothing in but its own style."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups: dict[str, list[Operation]] = {}
    for tag, operation in operations(document):
        groups.setdefault(tag, []).append(operation)
    schemas = {name: _json(schema) for name, schema in sorted(document["components"]["schemas"].items())}
    text = made.get_template("docs.html").render(
        info=document["info"], groups=groups, schemas=schemas, style=STYLE
    )
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    """Every operation with its tag, in the order of the document. Pure."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                told = methods[method]
                yield (told.get("tags") or ["service"])[0], _operation(path, method, told)


def _operation(path: str, method: str, told: Mapping[str, Any]) -> Operation:
    content = told.get("requestBody", {}).get("content", {})
    body = "\n".join(f"{kind}\n{_json(each.get('schema', {}))}" for kind, each in content.items())
    parameters = tuple(
        (each["name"], each["in"], _kind(each.get("schema", {})), each.get("required", False), _said(each))
        for each in told.get("parameters", ())
    )
    answers = tuple((status, each.get("description", "")) for status, each in told["responses"].items())
    text = told.get("description", "")
    return Operation(
        told["operationId"], method.upper(), path, told.get("summary", ""), text, parameters, body, answers
    )


def _said(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("description") or parameter.get("schema", {}).get("description", ""))


def _kind(schema: Mapping[str, Any]) -> str:
    """A parameter's schema in one line."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("format") or schema.get("type", "any"))
    return f"{kind} of {_kind(schema['items'])}" if "items" in schema else kind


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2)
