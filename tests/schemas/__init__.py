"""Tests of what is promised: contracts, decoder, regions, tables, migrations."""
