"""The file formats: JSON, NDJSON, CSV, Parquet and Arrow, to validated record batches and back."""
