"""Rules as they are published: their rule epochs on the topic `rules`, and what reads it."""
