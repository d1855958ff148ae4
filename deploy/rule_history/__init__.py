"""Rules over landed history: back-tests, reviews on complete data, baselines, one warning decided again."""
