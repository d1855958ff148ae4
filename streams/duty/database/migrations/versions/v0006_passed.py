"""Which warnings became no case through their own fault: what compares log and database does not miss them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A table; what was passed over before is not in it, and is named by `liaowang reconcile` until read again."""
    op.create_table(
        "passed",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", "partition", "offset", name="pk_passed"),
    )
