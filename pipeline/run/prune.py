"""Delete what the runs of all jobs of a state folder need not keep any more (wiring)."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from pipeline.model.job import Job, State
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Pruned, prune
from pipeline.state.storage import storage_faults


def prune_all(ledger: Ledger, now: datetime) -> Pruned:
    """Look at all runs of each job, by the settings of its last one; raises StorageError."""
    found = Pruned()
    with storage_faults(ledger.state_dir):
        for job in ledger.jobs():
            found += prune(ledger, job, _settings(ledger, job), now, whole=True)
        ledger.shrink()
    return found


def _settings(ledger: Ledger, job: str) -> State:
    """Return the settings of the last run of a job, the defaults where its job file is not known any more."""
    try:
        return State() if (last := ledger.last(job)) is None else Job.model_validate_json(last.job_copy).state
    except ValidationError:
        return State()
