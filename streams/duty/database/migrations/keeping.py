"""Triggers that keep what was written: nothing of duty is ever deleted, records are never changed."""

from __future__ import annotations

from alembic import op

_FUNCTION = """
CREATE OR REPLACE FUNCTION liaowang_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'nothing is ever deleted or changed in %: % refused', TG_TABLE_NAME, TG_OP; END $$
"""


def keep(table: str, *, record: bool = False) -> None:
    """Refuse DELETE (in PostgreSQL also TRUNCATE) on a table, and UPDATE on one of records."""
    refused = ["DELETE", *(["UPDATE"] if record else [])]
    if op.get_bind().dialect.name == "sqlite":
        for verb in refused:
            op.execute(
                f"CREATE TRIGGER keep_{table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN "
                f"SELECT RAISE(ABORT, 'nothing is ever deleted or changed in {table}: {verb} refused'); END"
            )
        return
    op.execute(_FUNCTION)
    op.execute(
        f"CREATE TRIGGER keep_{table} BEFORE {' OR '.join(refused)} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION liaowang_refuse()"
    )
    op.execute(
        f"CREATE TRIGGER keep_{table}_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION liaowang_refuse()"
    )
