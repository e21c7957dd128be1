"""Keep what must survive a crash: the run's folder, the ledger and the locks."""

# The state folder of a job: this, beside its job file.
STATE_FOLDER = ".copernica-import"
