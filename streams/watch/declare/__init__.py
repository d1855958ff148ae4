"""Rules as they are declared: their model, how files are read, levels, calendar, baselines."""
