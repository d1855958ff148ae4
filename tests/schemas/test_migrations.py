"""Migrations: their order, their statements, and the landing tables of the first one."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.ddl.model import DATABASES
from schemas.errors import Misdeclared
from schemas.migrations import read_migrations, split_statements


def test_the_first_migration_makes_databases_and_shared_landing_tables() -> None:
    first = read_migrations()[0]
    assert (first.number, first.name) == (1, "databases")
    assert list(first.statements[: len(DATABASES)]) == [
        f"CREATE DATABASE IF NOT EXISTS {name}" for name in DATABASES
    ]
    tables = [statement.split("\n", 1)[0] for statement in first.statements[len(DATABASES) :]]
    assert tables == [
        f"CREATE TABLE IF NOT EXISTS landing.{name}" for name in ("rejected", "tick", "ledger", "epoch")
    ]


def test_numbers_run_from_one_without_a_gap() -> None:
    migrations = read_migrations()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    assert all(
        statement and not statement.endswith(";") for item in migrations for statement in item.statements
    )


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    text = "-- why; because\nSELECT ';' AS a;\n  -- more\nSELECT 2\n  , 3 ;  \nSELECT 4"
    assert split_statements(text) == ("SELECT ';' AS a", "SELECT 2\n  , 3", "SELECT 4")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["0002_b.sql"], "must be number 0001"),
        (["0001_a.sql", "0003_c.sql"], "must be number 0002"),
        (["0001_a.sql", "0001_b.sql"], "must be number 0002"),
        (["1_a.sql"], "must be NNNN_<what>.sql"),
        (["0001_A.sql"], "must be NNNN_<what>.sql"),
    ],
)
def test_wrong_numbers_are_misdeclared(tmp_path: Path, names: list[str], problem: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;\n", encoding="utf-8")
    with pytest.raises(Misdeclared) as caught:
        read_migrations(tmp_path)
    assert problem in str(caught.value)


def test_a_file_without_statements_is_misdeclared(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("-- nothing yet\n", encoding="utf-8")
    with pytest.raises(Misdeclared, match="statements: holds none"):
        read_migrations(tmp_path)


def test_an_edited_migration_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.sql"
    path.write_text("SELECT 1;\n", encoding="utf-8")
    before = read_migrations(tmp_path)[0].digest
    path.write_text("SELECT 2;\n", encoding="utf-8")
    assert read_migrations(tmp_path)[0].digest != before
