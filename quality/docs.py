"""Data Docs: what the gate checked, as pages. Results are kept by the gate in an instant, pages written later."""

from __future__ import annotations

from pathlib import Path

from great_expectations.core import ExpectationSuiteValidationResult


def keep_result(home: Path, table: str, build_id: str, result: ExpectationSuiteValidationResult) -> None:
    """Keep a result until the next `write_docs`."""


def write_docs(home: Path) -> None:
    """Write the pages."""
