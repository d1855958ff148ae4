"""In which line of its file a key of a declaration stands: for errors that are mended in an editor."""

from __future__ import annotations

from pathlib import Path

import yaml

from schemas.errors import Misdeclared


def placed(error: Misdeclared, path: Path, text: str) -> Misdeclared:
    """The same error with `file:line` where it said the file, if the key can be found in its text."""
    line = line_of(text, error.key)
    return Misdeclared(f"{path}:{line}", error.key, error.problem) if line else error


def line_of(text: str, key: str) -> int:
    """The line of what stands under `departments[2].name.zh`, or of what it should stand in; 0 for none.

    A name after a list is that of a custom property: `customProperties.department`.
    """
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return 0
    if node is None:
        return 0
    line = 0
    for step in key.replace("[", ".[").split("."):
        found = _under(node, step)
        if found is None:
            break
        line, node = found
    return line


def _under(node: yaml.Node, step: str) -> tuple[int, yaml.Node] | None:
    """Line and value of one step down."""
    if isinstance(node, yaml.SequenceNode) and step.startswith("["):
        at = int(step.strip("[]"))
        return (node.value[at].start_mark.line + 1, node.value[at]) if at < len(node.value) else None
    if isinstance(node, yaml.SequenceNode):
        named = (item for item in node.value if _value(item, "property") == step)
        item = next(named, None)
        return None if item is None else (item.start_mark.line + 1, item)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == step:
                return name.start_mark.line + 1, value
    return None


def _value(node: yaml.Node, key: str) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for name, value in pairs if name.value == key), "")
