"""Duty: a warning reaches the officer. The outbox, the webhook, a receiver to see what arrives."""
