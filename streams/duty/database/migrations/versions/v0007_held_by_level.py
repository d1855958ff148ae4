"""The level a graver case had when it held a notification back, by which it is let go once that level changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

LEVELS = ("blue", "yellow", "orange", "red")


def upgrade() -> None:
    """A column; of what is held back now, it is taken from the words that said so until this version."""
    op.add_column("notification", sa.Column("held_by_level", sa.Text(), nullable=True))
    row = sa.table("notification", *map(sa.column, ("held_by_case", "held_by_level", "last_error")))
    for level in LEVELS:
        words = sa.literal("case ") + sa.cast(row.c.held_by_case, sa.Text) + f" is {level}"
        op.execute(sa.update(row).where(row.c.last_error == words).values(held_by_level=level))
