"""Model artifacts: the feature contract, the scorer, where models come from and which one is active."""
