"""What survives: lost answers, failed imports, kills and interrupts, and how a run is gone on with."""
