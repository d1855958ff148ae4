"""What builds, gates and releases read and make, told to other catalogues as OpenLineage events."""
