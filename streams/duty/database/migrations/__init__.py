"""Alembic revisions of the duty database."""
