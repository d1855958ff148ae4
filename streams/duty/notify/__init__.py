"""Notifications to officers: what is told, to whom, by which channel, and what is held back."""
