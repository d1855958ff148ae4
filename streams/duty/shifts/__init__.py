"""The roster in use: questions to it, changes for a while, holes, the roles that rules name."""
