"""Commands of early-warning rules and of the warnings they made."""
