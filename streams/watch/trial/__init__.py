"""Rules tried without a stack: on events of a file or of the landed log."""
