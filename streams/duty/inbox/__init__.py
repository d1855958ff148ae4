"""Warnings as they are read from their topic, each written down once."""
