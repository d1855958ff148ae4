"""How officers sign in to the console, and the sessions of their browsers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; unlike the record of duty their rows may be deleted."""
    op.create_table(
        "sign_in",
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name="fk_sign_in_officer_id_officer"),
        sa.PrimaryKeyConstraint("officer_id", name="pk_sign_in"),
        sa.UniqueConstraint("issuer", "subject", name="uq_sign_in_issuer_subject"),
    )
    op.create_table(
        "browser_session",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("seen", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name="fk_browser_session_officer_id_officer"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_browser_session"),
    )
    op.create_index("ix_browser_session_officer_id", "browser_session", ["officer_id"])
