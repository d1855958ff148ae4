"""Composite indices: from a tree of indicators with weights and a table of figures to scores and ranks. Pure."""
