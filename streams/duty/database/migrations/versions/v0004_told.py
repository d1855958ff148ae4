"""Warnings of replays that open no case, and what a silence or a graver case holds back for now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from streams.duty.database.migrations.keeping import keep

revision = "0004"
down_revision = "0003"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
HELD = sa.text("held_by_silence IS NOT NULL OR held_by_case IS NOT NULL")


def upgrade() -> None:
    """A table, two columns and an index of the few rows that have one; old rows were held back for good."""
    op.create_table(
        "replayed",
        sa.Column("id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("timeline", "episode", "kind", "level", "rule", "title", "subject", "region", "role")
        ),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.Column("threshold", sa.Float(53), nullable=True),
        sa.Column("occurred", INSTANT, nullable=False),
        sa.Column("heard", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replayed"),
    )
    op.create_index("ix_replayed_timeline_occurred", "replayed", ["timeline", "occurred"])
    keep("replayed", record=True)
    for name in ("held_by_silence", "held_by_case"):
        op.add_column("notification", sa.Column(name, KEY, nullable=True))
    op.create_index(
        "ix_notification_held",
        "notification",
        ["held_by_silence", "held_by_case"],
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
