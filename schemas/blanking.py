"""The one place that blanks personal values: what may be shown of an event that breaks its contract. Pure.

Reasons are read by many (the answer of the gateway, logs, `landing.rejected`, the topic `rejected`, tables on a
screen); personal values by few, who ask for the raw bytes. Of a contract with personal fields neither these are
shown nor any excerpt of bytes that were not understood: what stands in them nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from traceback import extract_tb

from schemas.contract_model import Contract
from schemas.errors import Rejected

WITHHELD = "(withheld: personal)"
PERSONAL = "personal"
UNREAD = ("event", "data")
"""What a reason names where it found no field to blame: its value is an excerpt of the bytes."""


def personal_fields(contract: Contract) -> frozenset[str]:
    """The fields of a contract whose values are personal."""
    return frozenset(field.name for field in contract.fields if field.classification == PERSONAL)


def blanked(contract: Contract, find: Callable[[bytes], Rejected]) -> Callable[[bytes], Rejected]:
    """What finds the reason of a rejection, made so that no reason shows a personal value."""
    hidden = personal_fields(contract)
    if not hidden:
        return find

    def found(raw: bytes) -> Rejected:
        said = find(raw)
        if said.field in UNREAD:
            return Rejected(said.field, said.rule, f"({len(raw)} bytes withheld: personal)")
        if said.field in hidden and said.value:
            return Rejected(said.field, said.rule, WITHHELD)
        return said

    return found


def fault(contracts: Iterable[Contract], error: Exception) -> str:
    """An error over an event of these contracts in one line: its kind, where it was raised, and what it says.

    What it says may quote a value, so it is left out where a contract has personal fields.
    """
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}{quoted(contracts, str(error))}"


def quoted(contracts: Iterable[Contract], said: str) -> str:
    """What a program or a server says of an event, after a colon; withheld where it may quote a personal value."""
    if said and any(map(personal_fields, contracts)):
        return f" {WITHHELD}"
    return f": {said}" if said else ""
