"""Tests of generated feeds."""
