"""What applicants are written in: JSON, NDJSON, CSV, Parquet and Arrow, to checked record batches and back."""
