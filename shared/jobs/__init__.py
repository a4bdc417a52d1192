"""Jobs: the record, chunks and results of a submitted batch."""
