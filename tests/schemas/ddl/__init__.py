"""Tests of the model of tables and views."""
