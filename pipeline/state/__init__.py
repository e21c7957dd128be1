"""Keep what must survive a crash: the run's folder, the ledger and the locks."""
