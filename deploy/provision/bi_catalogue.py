"""The generated part of docs/bi.md: what each mart of the star schema holds, as the warehouse itself says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clickhouse_driver import Client

from deploy.environment import load_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "bi.md"
STAR = (
    *("indicator", "ranking", "region", "calendar", "department", "indicator_definition"),
    *("provenance", "provenance_input", "release", "current_release"),
    *("rule_quality", "reviewed_warning"),
)
_BEGIN, _END = "<!-- generated: begin -->\n", "<!-- generated: end -->"


def catalogue(ask: Callable[[str], list[tuple[Any, ...]]]) -> str:
    """One table a mart, in the order of STAR."""
    parts = []
    for name in STAR:
        ((comment,),) = ask(f"SELECT comment FROM system.tables WHERE database = 'mart' AND name = '{name}'")
        columns = ask(
            "SELECT name, type, comment FROM system.columns"
            f" WHERE database = 'mart' AND table = '{name}' ORDER BY position"
        )
        rows = "\n".join(f"| `{column}` | {kind} | {text} |" for column, kind, text in columns)
        parts.append(f"### `mart.{name}`\n\n{comment}.\n\n| column | type | what |\n|---|---|---|\n{rows}\n")
    return "\n" + "\n".join(parts) + "\n"


def written(text: str) -> str:
    """The generated part of a document."""
    return text.split(_BEGIN)[1].split(_END)[0]


def rewritten(text: str, part: str) -> str:
    """The document with its generated part replaced."""
    head, rest = text.split(_BEGIN)
    return f"{head}{_BEGIN}{part}{_END}{rest.split(_END)[1]}"


def main() -> None:
    """Write the generated part anew, from the running stack."""
    client = Client(**load_settings().warehouse("bi"))
    part = catalogue(lambda sql: list(client.execute(sql)))
    client.disconnect()
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8"), part), encoding="utf-8")


if __name__ == "__main__":
    main()
