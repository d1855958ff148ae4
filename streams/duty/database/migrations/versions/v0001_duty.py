"""Cases with their audit, officers, rosters' changes, and what is on its way out; nothing is ever deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from streams.duty.database.migrations.keeping import keep

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
KEPT = ("officer", "office", "token", "cases", "message", "notification", "silence", "override", "hole")
RECORDS = ("entry", "heard", "attachment", "handover")


def upgrade() -> None:
    """Make all tables, and the triggers that refuse to delete from them."""
    _make_tables()
    for table in KEPT:
        keep(table)
    for table in RECORDS:
        keep(table, record=True)


def _make_tables() -> None:
    op.create_table(
        "hole",
        sa.Column("id", KEY, nullable=False),
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("starts", INSTANT, nullable=False),
        sa.Column("ends", INSTANT, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("found", INSTANT, nullable=False),
        sa.Column("filled", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hole")),
        sa.UniqueConstraint("episode", name=op.f("uq_hole_episode")),
    )
    op.create_table(
        "silence",
        sa.Column("id", KEY, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("regions", sa.Text(), nullable=False),
        sa.Column("levels", sa.Text(), nullable=False),
        sa.Column("starts", INSTANT, nullable=False),
        sa.Column("ends", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("ended", INSTANT, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint("starts < ends", name=op.f("ck_silence_span")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_silence_ends"), "silence", ["ends"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("published", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("uid", name=op.f("uq_message_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_message_unpublished",
        "message",
        ["id"],
        unique=False,
        sqlite_where=sa.text("published IS NULL"),
        postgresql_where=sa.text("published IS NULL"),
    )
    op.create_table(
        "officer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer")),
        sa.UniqueConstraint("login", name=op.f("uq_officer_login")),
    )
    op.create_table(
        "cases",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("timeline", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("peak", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("assignee_id", KEY, nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("origin_id", KEY, nullable=True),
        sa.Column("merged_into_id", KEY, nullable=True),
        sa.Column("occurred", INSTANT, nullable=False),
        sa.Column("opened", INSTANT, nullable=False),
        sa.Column("acknowledged", INSTANT, nullable=True),
        sa.Column("started", INSTANT, nullable=True),
        sa.Column("disposed", INSTANT, nullable=True),
        sa.Column("confirmed", INSTANT, nullable=True),
        sa.Column("closed", INSTANT, nullable=True),
        sa.Column("recovered", INSTANT, nullable=True),
        sa.Column("acknowledge_by", INSTANT, nullable=False),
        sa.Column("close_by", INSTANT, nullable=False),
        sa.Column("overdue", INSTANT, nullable=True),
        sa.Column("waiting_since", INSTANT, nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("next_step", INSTANT, nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('warning','follow_up')", name=op.f("ck_cases_kind")),
        sa.CheckConstraint("level IN ('red','orange','yellow','blue')", name=op.f("ck_cases_level")),
        sa.CheckConstraint(
            "state IN ('new','acknowledged','in_disposal','disposed','confirmed','closed')",
            name=op.f("ck_cases_state"),
        ),
        sa.CheckConstraint("verdict IN ('true','false','drill','duplicate')", name=op.f("ck_cases_verdict")),
        sa.ForeignKeyConstraint(["assignee_id"], ["officer.id"], name=op.f("fk_cases_assignee_id_officer")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["cases.id"], name=op.f("fk_cases_merged_into_id_cases")),
        sa.ForeignKeyConstraint(["origin_id"], ["cases.id"], name=op.f("fk_cases_origin_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("episode", name=op.f("uq_cases_episode")),
        sa.UniqueConstraint("uid", name=op.f("uq_cases_uid")),
    )
    op.create_index(op.f("ix_cases_assignee_id"), "cases", ["assignee_id"], unique=False)
    op.create_index(op.f("ix_cases_merged_into_id"), "cases", ["merged_into_id"], unique=False)
    op.create_index(op.f("ix_cases_next_step"), "cases", ["next_step"], unique=False)
    op.create_index(op.f("ix_cases_opened"), "cases", ["opened"], unique=False)
    op.create_index(op.f("ix_cases_origin_id"), "cases", ["origin_id"], unique=False)
    op.create_index("ix_cases_rule_subject", "cases", ["rule", "subject"], unique=False)
    op.create_index("ix_cases_state_level_region", "cases", ["state", "level", "region"], unique=False)
    op.create_table(
        "handover",
        sa.Column("id", KEY, nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("giver_id", KEY, nullable=False),
        sa.Column("taker_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("cases", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["giver_id"], ["officer.id"], name=op.f("fk_handover_giver_id_officer")),
        sa.ForeignKeyConstraint(["taker_id"], ["officer.id"], name=op.f("fk_handover_taker_id_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index(op.f("ix_handover_team"), "handover", ["team"], unique=False)
    op.create_table(
        "office",
        sa.Column("id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("granted", INSTANT, nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("revoked", INSTANT, nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_office_officer_id_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_office")),
    )
    op.create_index(op.f("ix_office_officer_id"), "office", ["officer_id"], unique=False)
    op.create_table(
        "override",
        sa.Column("id", KEY, nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("officer_id", KEY, nullable=True),
        sa.Column("starts", INSTANT, nullable=False),
        sa.Column("ends", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("swap", sa.Text(), nullable=True),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("withdrawn", INSTANT, nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.CheckConstraint("starts < ends", name=op.f("ck_override_span")),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_override_officer_id_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_override")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_override_team"), "override", ["team"], unique=False)
    op.create_table(
        "reply",
        sa.Column("id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_reply_officer_id_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
        sa.UniqueConstraint("officer_id", "key", name=op.f("uq_reply_officer_id_key")),
    )
    op.create_table(
        "token",
        sa.Column("id", KEY, nullable=False),
        sa.Column("officer_id", KEY, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires", INSTANT, nullable=True),
        sa.Column("revoked", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_token_officer_id_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_index(op.f("ix_token_officer_id"), "token", ["officer_id"], unique=False)
    op.create_table(
        "attachment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_attachment_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index(op.f("ix_attachment_case_id"), "attachment", ["case_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_entry_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("case_id", "ordinal", name=op.f("uq_entry_case_id_ordinal")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "heard",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", KEY, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_heard_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heard")),
    )
    op.create_index(op.f("ix_heard_case_id"), "heard", ["case_id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("officer_id", KEY, nullable=True),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_attempt", INSTANT, nullable=True),
        sa.Column("next_attempt", INSTANT, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('pending','delivered','dead','suppressed')", name=op.f("ck_notification_state")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notification_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officer.id"], name=op.f("fk_notification_officer_id_officer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("key", name=op.f("uq_notification_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notification_case_id"), "notification", ["case_id"], unique=False)
    op.create_index("ix_notification_due", "notification", ["state", "rank", "id"], unique=False)
    op.create_index(op.f("ix_notification_officer_id"), "notification", ["officer_id"], unique=False)
