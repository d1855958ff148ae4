"""The worker around the engine: what it reads, keeps, sends and measures."""
