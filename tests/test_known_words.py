"""What is known everywhere is written in one place: the time zone, the province, the levels, the feeds of duty."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "streams", "quality", "dagster_project", "deploy")
OLD = ("schemas/migrations/", "streams/duty/database/migrations/")
"""What was applied once stays as it was written."""
ONCE = {
    "the time zone, as SQL takes it": (r"'Asia/Shanghai'|\AAsia/Shanghai\Z", "schemas/fields.py"),
    "the offset": (r"\A\+08:00\Z", "schemas/fields.py"),
    "the province": (r"'330000'|\A330000\Z", "schemas/regions.py"),
    "the feeds of duty": (r"\Aduty\.(warning|disposition)(\.v\d+)?\Z", "schemas/topics.py"),
    "the group of watch": (r"\Aliaowang-watch\Z", "schemas/topics.py"),
    "the levels, in a list of SQL": (r"'(red|blue)', ?'(orange|yellow)'", ""),
}


def texts(path: Path) -> Iterator[str]:
    """The texts of a module that are no docstrings, those of f-strings in parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


@pytest.mark.parametrize("what", ONCE)
def test_what_is_known_everywhere_is_written_once(what: str) -> None:
    pattern, home = ONCE[what]
    modules = [path for each in PACKAGES for path in sorted((ROOT / each).rglob("*.py"))]
    found = [
        name
        for path in modules
        if not (name := path.relative_to(ROOT).as_posix()).startswith(OLD)
        and any(re.search(pattern, text) for text in texts(path))
    ]
    assert found == [home] * bool(home)
