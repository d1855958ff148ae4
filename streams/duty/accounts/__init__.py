"""Officers, their roles and rights, and how often somebody may ask."""
