"""What is promised: contracts, events, regions, tables, settings. Pure: no I/O, no clock, no environment."""
