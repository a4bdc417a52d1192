"""The command line `pret`: each command is an operation of the client and a way to print its result."""
