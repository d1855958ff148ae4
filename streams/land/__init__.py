"""Landing: every record of a feed's topic becomes a row, a refusal or control, and the ledger says so."""
