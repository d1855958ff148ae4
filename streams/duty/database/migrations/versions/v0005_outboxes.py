"""What a message is refused for, and how far the topic of warnings was read, beside what was made of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A column and a table; where a reader goes on is written with what it has written down."""
    op.add_column("message", sa.Column("refused", sa.Text(), nullable=True))
    op.create_table(
        "reached",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("filling", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("log", "partition", name="pk_reached"),
    )
