"""Tests of what may be trusted: suites, gate, verdicts."""
