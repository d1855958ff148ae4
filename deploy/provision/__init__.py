"""What has to be there before programs start: tables and topics, made or brought to their declared form."""
