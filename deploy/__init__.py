"""How it runs: the command line, the local stack, production."""
