"""Why a notification was not sent as a code, and the level of a graver case that held it back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

LEVELS = ("blue", "yellow", "orange", "red")


def upgrade() -> None:
    """Two columns; the level of what is held back now is taken from the words that said so until this version.

    Why others were not sent stays in words alone, as it was written.
    """
    for name in ("held_by_level", "reason"):
        op.add_column("notification", sa.Column(name, sa.Text(), nullable=True))
    row = sa.table("notification", *map(sa.column, ("held_by_case", "held_by_level", "last_error")))
    for level in LEVELS:
        words = sa.literal("case ") + sa.cast(row.c.held_by_case, sa.Text) + f" is {level}"
        op.execute(sa.update(row).where(row.c.last_error == words).values(held_by_level=level))
