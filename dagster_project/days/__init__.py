"""Days: spans, periods, how far each topic is wholly landed, what an attempt may read, retention."""
