"""Warnings to other systems: signed pushes, CAP, and a receiver to try them."""
