"""Periodic publication of rankings (晾晒): places of cities and counties, and how they rose and fell."""
