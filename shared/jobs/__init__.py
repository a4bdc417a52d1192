"""Jobs: one submitted batch each, its record, its chunks and its results."""
