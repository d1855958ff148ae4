"""Releases: what is published, the list of them, what changed between two, and their expiry."""
