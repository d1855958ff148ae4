"""What BI sees: the star schema's views and dimensions, each behind its barrier."""
