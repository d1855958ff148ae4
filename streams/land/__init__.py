"""Landing: every record of a feed's topic becomes a row, a refusal or a control entry, and the ledger says so."""
