"""What goes to others: open data, column lineage, OpenLineage."""
