"""Commands of data on their way in: contracts, generated feeds, files, rejected events, the ledger."""
