"""The roster as it is declared: teams, shifts, chains, workdays; who is on duty."""
