"""The pages: each shows itself with the sentences of a language and a client of the service."""
