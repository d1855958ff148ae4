"""Row rules: what one built row must keep, as SQL predicates; a row that breaks one is quarantined.

Most of it the decoder has checked already when the event arrived; a row can still break the contract as it is
now (a field became required, a range narrower), or a rule that needs the event's arrival.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.contract import Contract, Field
from schemas.regions import Regions, load_regions


@dataclass(frozen=True)
class RowRule:
    """A rule by name (`field: rule`) and the SQL that is true for a row that breaks it."""

    name: str
    broken: str


def row_rules(contract: Contract, regions: Regions | None = None) -> tuple[RowRule, ...]:
    """The row rules of a feed, in the order of its fields."""
    rules = [RowRule("time: future", f"time > arrived + INTERVAL {contract.skew_ms} MILLISECOND")]
    for field in contract.fields:
        rules.extend(RowRule(f"{field.name}: {name}", sql) for name, sql in _rules(field))
    if contract.region_field:
        codes = sorted((regions or load_regions()).codes(contract.region_levels))
        column = _name(contract.region_field)
        rules.append(RowRule(f"{contract.region_field}: region", f"{column} NOT IN ({_texts(codes)})"))
    return tuple(rules)


def broken(rules: tuple[RowRule, ...]) -> str:
    """SQL: whether a row breaks any of the rules; an absent optional value breaks none."""
    return " OR ".join(f"ifNull({rule.broken}, 0)" for rule in rules) or "0"


def reasons(rules: tuple[RowRule, ...]) -> str:
    """SQL: the names of the rules a row breaks."""
    cases = ", ".join(f"if(ifNull({rule.broken}, 0), {quote(rule.name)}, '')" for rule in rules)
    return f"arrayFilter(reason -> reason != '', [{cases}])"


def quote(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _rules(field: Field) -> Iterator[tuple[str, str]]:
    column = _name(field.name)
    if field.required and field.kind == "string":
        yield "required", f"{column} = ''"
    if field.pseudonymised:
        return  # the decoder has checked the value; the table holds its pseudonym
    if field.minimum is not None:
        yield "minimum", f"{column} < {field.minimum}"
    if field.exclusive_minimum is not None:
        yield "minimum", f"{column} <= {field.exclusive_minimum}"
    if field.maximum is not None:
        yield "maximum", f"{column} > {field.maximum}"
    if field.enum:
        yield "enum", f"{column} NOT IN ({_texts(field.enum)})"
    if field.pattern:
        yield "pattern", f"NOT match({column}, {quote(field.pattern)})"
    if field.missing:
        yield "missing", f"{column} IN ({', '.join(_literal(value) for value in field.missing)})"


def _literal(value: int | float | str) -> str:
    return quote(value) if isinstance(value, str) else str(value)


def _texts(values: tuple[str, ...] | list[str]) -> str:
    return ", ".join(quote(value) for value in values)


def _name(column: str) -> str:
    return f"`{column}`"
