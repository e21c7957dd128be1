"""Validate: batches in, accepted rows in canonical text and named faults out (pure, but for loading a schema)."""
