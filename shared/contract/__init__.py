"""The feature contract: the signature and metadata of an MLmodel file, as a validator of rows and of columns."""
