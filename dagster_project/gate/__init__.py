"""The gate: checks on one build, their verdicts with evidence, and the tasks that come of them."""
