"""Rules on their way from files to the platform, and tried on files of events."""
