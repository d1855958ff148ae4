"""What may be trusted: contracts become GX suites, suites become a verdict."""
