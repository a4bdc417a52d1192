"""Which model version is active on which process, and how a new one becomes active on all of them."""
