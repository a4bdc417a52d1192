"""From a request to a job: its body, its options, and whether there is room for it."""
