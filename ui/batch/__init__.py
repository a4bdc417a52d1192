"""A portfolio: from a file that is dropped to scores that are looked through, in memory that does not grow with it."""
