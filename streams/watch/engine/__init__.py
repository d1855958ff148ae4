"""The engine: frames of a partition through its rules, what is gathered for the second stage, and that stage."""
