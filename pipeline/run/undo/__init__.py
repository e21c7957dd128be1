"""Keep what the target held before a run, and bring it back (data rule 45)."""
