"""Report what a run did: its summary, its rejects, its history, its page, and who is notified."""
