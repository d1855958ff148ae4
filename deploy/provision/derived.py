"""Views and loaded tables that follow from declarations: which are to be made again, since something differs.

Of each is kept what it was made by, and what the server says of its form afterwards. It is made again where
either is another one now: a declaration was changed, or somebody altered or dropped it. Plain tables are compared
with the model itself (`schemas.ddl.difference`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from schemas.ddl.model import DATABASES

KEPT = "SELECT name, statements, form FROM landing.derived FINAL"
FORMS = (
    "SELECT concat(database, '.', name), hex(sipHash128(create_table_query)) FROM system.tables"
    f" WHERE database IN ({', '.join(repr(name) for name in DATABASES)})"
)
Making = Mapping[str, Sequence[str]]
"""The statements that make each object, by its full name, in the order the objects need each other."""
Made = Mapping[str, tuple[str, str]]
"""By object a digest of its statements, and its form after them."""


def digest(statements: Sequence[str]) -> str:
    """The same for the same statements."""
    return sha256("".join(f"{statement}\n" for statement in statements).encode()).hexdigest()


def to_run(making: Making, made: Made, forms: Mapping[str, str]) -> list[str]:
    """The statements to run, in order; `forms` are those of the objects there are."""
    return [
        statement
        for name, statements in making.items()
        if name not in forms or made.get(name) != (digest(statements), forms[name])
        for statement in statements
    ]


def to_keep(making: Making, made: Made, forms: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is to be kept after all of them ran: (object, digest, form), where it is new."""
    found = ((name, digest(statements)) for name, statements in making.items() if name in forms)
    return [(name, text, forms[name]) for name, text in found if made.get(name) != (text, forms[name])]
