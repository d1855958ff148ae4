"""Commands of the duty desk."""
