"""Tables and views that follow from declarations: which of their statements are to run, since something differs.

Of each object is kept what it was made by, and what the server says of its form afterwards. Its statements run
again where either is another one now: a declaration was changed, or somebody altered or dropped the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

RECORD = (
    "CREATE TABLE IF NOT EXISTS landing.derived (name String, statements String, form String,"
    " at DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)) ENGINE = ReplacingMergeTree(at) ORDER BY name"
)
KEPT = "SELECT name, statements, form FROM landing.derived FINAL"
FORMS = (
    "SELECT concat(database, '.', name), hex(sipHash128(create_table_query)) FROM system.tables"
    " WHERE database IN ('landing', 'built', 'quality', 'release', 'mart')"
)
_OBJECT = re.compile(
    r"(?:CREATE (?:OR REPLACE )?(?:TABLE|VIEW)|ALTER TABLE)(?: IF NOT EXISTS)?\s+([`\w]+\.[`\w]+)", re.ASCII
)
Made = Mapping[str, tuple[str, str]]
"""By object a digest of its statements, and its form after them."""


def object_of(statement: str) -> str:
    """The table or view that a statement makes or alters; "" where it does something else, which always runs."""
    found = _OBJECT.match(statement.lstrip())
    return found[1].replace("`", "") if found else ""


def digests(statements: Iterable[str]) -> dict[str, str]:
    """A digest of all statements of each object, in their order."""
    texts: dict[str, str] = {}
    for statement in statements:
        if name := object_of(statement):
            texts[name] = f"{texts.get(name, '')}{statement}\n"
    return {name: sha256(text.encode()).hexdigest() for name, text in texts.items()}


def to_run(statements: Sequence[str], made: Made, forms: Mapping[str, str]) -> list[str]:
    """The statements to run, in order; `forms` are those of the objects there are."""
    now = digests(statements)
    stands = {
        name for name, digest in now.items() if name in forms and made.get(name) == (digest, forms[name])
    }
    return [statement for statement in statements if object_of(statement) not in stands]


def to_keep(statements: Sequence[str], made: Made, forms: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is to be kept after all of them ran: (object, digest, form), where it is new."""
    return [
        (name, digest, forms[name])
        for name, digest in digests(statements).items()
        if name in forms and made.get(name) != (digest, forms[name])
    ]
