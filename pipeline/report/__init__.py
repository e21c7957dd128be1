"""Tell what a run did: its summary, its rejects, its progress."""
