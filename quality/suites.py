"""Contract -> suite: what must hold for the built rows of a feed, apart from the engine that checks it.

A suite is a plain description; `kind` is the name of a Great Expectations expectation and `kwargs` its
arguments, so that the gate, the Data Docs and the release manifest speak of the same thing. Lengths of text
are left to the decoder: the engine would count bytes, the contract counts characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from schemas.contract import Contract, Field
from schemas.findings import Finding, Found
from schemas.gate import WHOLE, Gate
from schemas.regions import Regions, load_regions


@dataclass(frozen=True)
class Expectation:
    """One expectation by its GX name, such as `expect_column_values_to_not_be_null`, and its arguments."""

    kind: str
    kwargs: Mapping[str, Any]

    @property
    def by_row(self) -> bool:
        """Whether it speaks of single rows, so that a range of days can be checked at once."""
        return self.kind not in WHOLE

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it speaks of; none where it speaks of the whole table."""
        if "column_list" in self.kwargs:
            return tuple(self.kwargs["column_list"])
        return tuple(self.kwargs[name] for name in ("column", "column_A", "column_B") if name in self.kwargs)

    @property
    def label(self) -> str:
        """How a finding and a page name it: kind and columns."""
        return f"{self.kind}({', '.join(self.columns)})" if self.is_gx and self.columns else self.kind

    def found(self, what: Found, /, **given: Any) -> Finding:
        """The finding that it does not hold, and with what numbers."""
        return Finding(what, given, self.label, self.kind, self.columns)

    @property
    def is_gx(self) -> bool:
        """Whether Great Expectations checks it; the others are the platform's own."""
        return self.kind.startswith("expect_")


@dataclass(frozen=True)
class Suite:
    """Everything that must hold for one table."""

    name: str
    expectations: tuple[Expectation, ...]

    @property
    def hash(self) -> str:
        """The same for the same expectations in the same order, whatever process asks."""
        plain = [[item.kind, dict(item.kwargs)] for item in self.expectations]
        text = json.dumps([self.name, plain], sort_keys=True, ensure_ascii=False)
        return sha256(text.encode()).hexdigest()


def suite_for(contract: Contract, regions: Regions | None = None) -> Suite:
    """The suite of `built.<table>`: presence, range, values, form by field; (source, id) once; not empty."""
    expectations = [
        Expectation("expect_table_row_count_to_be_between", {"min_value": 1}),
        Expectation("expect_compound_columns_to_be_unique", {"column_list": ["source", "id"]}),
        *(_not_null(column) for column in ("source", "id", "time")),
    ]
    for field in contract.fields:
        expectations.extend(_expectations(field))
        if field.name == contract.region_field:
            codes = sorted((regions or load_regions()).codes(contract.region_levels))
            expectations.append(_in_set(field.name, codes))
    return Suite(f"contract.{contract.feed}.v{contract.version}", tuple(expectations))


def declared(gate: Gate) -> tuple[Expectation, ...]:
    """The expectations a declaration adds itself."""
    return tuple(Expectation(kind, kwargs) for kind, kwargs in gate.expectations)


def _expectations(field: Field) -> Iterator[Expectation]:
    if field.required:
        yield _not_null(field.name)
    if field.pseudonymised:
        return  # the decoder has checked the value; the table holds its pseudonym
    low = field.minimum if field.exclusive_minimum is None else field.exclusive_minimum
    if low is not None or field.maximum is not None:
        kwargs: dict[str, Any] = {"column": field.name, "min_value": low, "max_value": field.maximum}
        if field.exclusive_minimum is not None:
            kwargs["strict_min"] = True
        yield Expectation("expect_column_values_to_be_between", kwargs)
    if field.missing:
        kwargs = {"column": field.name, "value_set": list(field.missing)}
        yield Expectation("expect_column_values_to_not_be_in_set", kwargs)
    if field.enum:
        yield _in_set(field.name, list(field.enum))
    if field.pattern:
        kwargs = {"column": field.name, "regex": field.pattern}
        yield Expectation("expect_column_values_to_match_regex", kwargs)


def _not_null(column: str) -> Expectation:
    return Expectation("expect_column_values_to_not_be_null", {"column": column})


def _in_set(column: str, values: list[str]) -> Expectation:
    return Expectation("expect_column_values_to_be_in_set", {"column": column, "value_set": values})
