"""What is built daily: assets, checks, releases, indicators."""
