"""Rules as they are published: their epochs on the topic `rules`, and what reads it."""
