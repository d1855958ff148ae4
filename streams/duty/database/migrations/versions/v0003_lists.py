"""Lists and counts of cases are answered from indices: also beside thousands of open ones."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Two indices that hold all that counts and orders ask for, instead of two that did not."""
    op.drop_index("ix_cases_assignee_id", "cases")
    op.drop_index("ix_cases_state_level_region", "cases")
    op.create_index("ix_cases_mine", "cases", ["assignee_id", "opened", "id", "state"])
    op.create_index("ix_cases_seen", "cases", ["state", "level", "region", "role", "assignee_id"])
