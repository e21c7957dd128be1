"""Find the keys that other runs have sent, or found unchanged, since a run (edge: the ledger, run folders; data rule 45)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.errors import JobError, Problem
from pipeline.model.columns import Keys
from pipeline.model.job import Job
from pipeline.stage.key_index import keys_since
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow


def later_keys(ledger: Ledger, undone: RunRow, keys: pl.Series) -> pl.Series:
    """Return those of the `keys` that a later run has sent or found unchanged; undone runs and undos do not count.

    Raises JobError where the keys of a later run are not known any more.
    """
    first = min((one.sending_at for one in ledger.chunks(undone.id) if one.sending_at), default="")
    own = Job.model_validate_json(undone.job_copy)
    found = [keys.clear()]
    for row, cuts in _later_runs(ledger, undone, first):
        job = Job.model_validate_json(row.job_copy)
        if Keys.of(job.target.key_fields).profile != Keys.of(own.target.key_fields).profile:
            if {*row.structure} & {*undone.structure}:
                return keys  # which records both name nobody can say
            continue
        theirs = keys_since(RunFolder(ledger.state_dir, row.id).path, cuts, keys)
        if theirs is None:
            what = f"run {row.id} has sent to this database since, and which customers is not known any more"
            do = "mend the dump and run it again (state.keep_rejects keeps what undo needs to know of later runs)"
            raise JobError(Problem(what, f"run {undone.id}", do))
        found.append(theirs)
    return pl.concat(found).unique()


def _later_runs(ledger: Ledger, undone: RunRow, first: str) -> Iterator[tuple[RunRow, list[int]]]:
    """Yield the runs that have sent something since `first` (ISO 8601), or compared since, each with those chunks."""
    for row in ledger.runs():
        if row.id == undone.id or row.database_id != undone.database_id or row.account != undone.account:
            continue
        if ledger.undone_by(row.id) is not None or ledger.undoes(row.id) is not None:
            continue
        if row.ended_at is not None and row.ended_at < undone.started_at:
            continue
        # The API host's time is exact to a second: it decides only between runs that were open together.
        since = "" if row.started_at >= undone.started_at else first
        cuts = sorted({one.cut for one in ledger.chunks(row.id) if one.sending_at and one.sending_at >= since})
        yield row, cuts
