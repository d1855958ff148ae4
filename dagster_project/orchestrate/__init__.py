"""Dagster's own: the project, its assets, jobs, runs and instance."""
