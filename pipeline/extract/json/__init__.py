"""Read JSON and NDJSON dumps."""
