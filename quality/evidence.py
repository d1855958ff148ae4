"""Which rows broke an expectation: its SQL, for the evidence of a quality task. Pure.

Evidence names places and reasons, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quality.rows import quote
from quality.suites import Suite
from schemas.findings import Finding

Arguments = Mapping[str, Any]


def broken_by(suite: Suite, finding: Finding) -> str | None:
    """SQL that is true for rows that broke what a finding names; None where it is of no single rows."""
    conditions = [
        _CONDITIONS[item.kind](item.kwargs)
        for item in suite.expectations
        if item.kind in _CONDITIONS and item.label == finding.check
    ]
    return " OR ".join(f"({condition})" for condition in conditions) or None


def _column(kwargs: Arguments) -> str:
    return f"`{kwargs['column']}`"


def _between(kwargs: Arguments) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    parts = []
    if low is not None:
        parts.append(f"{_column(kwargs)} {'<=' if kwargs.get('strict_min') else '<'} {low}")
    if high is not None:
        parts.append(f"{_column(kwargs)} {'>=' if kwargs.get('strict_max') else '>'} {high}")
    return " OR ".join(parts) or "0"


def _set(kwargs: Arguments) -> str:
    return ", ".join(quote(item) if isinstance(item, str) else str(item) for item in kwargs["value_set"])


_CONDITIONS: Mapping[str, Callable[[Arguments], str]] = {
    "expect_column_values_to_not_be_null": lambda kwargs: f"{_column(kwargs)} IS NULL",
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": lambda kwargs: f"{_column(kwargs)} NOT IN ({_set(kwargs)})",
    "expect_column_values_to_not_be_in_set": lambda kwargs: f"{_column(kwargs)} IN ({_set(kwargs)})",
    "expect_column_values_to_match_regex": (
        lambda kwargs: f"NOT match({_column(kwargs)}, {quote(kwargs['regex'])})"
    ),
}
