"""Read dumps in several processes: parts of the input in, checked batches in files out, joined in file order."""
