"""The command line `pret`: every command is a call of the client and a way to show its answer."""
