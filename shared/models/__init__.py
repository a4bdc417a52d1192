"""Model versions: where they come from, verified copies on this machine, and the scorer."""
