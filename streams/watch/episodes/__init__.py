"""Episodes: one open warning a rule and subject, levels that dwell, timers, transitions."""
