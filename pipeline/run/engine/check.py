"""Check the batches of a job: what is done with one, wherever that happens (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from pipeline.model.columns import LiveField
from pipeline.model.rows import Batch, Checked
from pipeline.run.observe import NullCounts, count_nulls, free_texts
from pipeline.run.prepare import PreparedJob


@dataclass(frozen=True)
class Taken:
    """A batch after validation, with the texts that look like a null."""

    batch: Batch
    checked: Checked
    nulls: NullCounts

    def without_accepted(self) -> Taken:
        """Return what is left to be written of a batch whose accepted rows are elsewhere: its rejects."""
        faults = self.checked.faults
        rows = faults["_row"].sort()
        places = rows.search_sorted(faults["_row"]).cast(pl.UInt32) if faults.height else faults["_row"]
        checked = Checked(
            self.checked.accepted.clear(), faults.with_columns(places.alias("_row")), self.checked.rejected_keys
        )
        return replace(self, batch=self.batch.only(rows), checked=checked)


class Check:
    """Validate batches of one job; `live` None where no live structure is known. Raises JobError for faulty constants."""

    def __init__(self, plan: PreparedJob, live: Mapping[str, LiveField] | None) -> None:
        self._validator = plan.validator(live)
        self._texts = free_texts(plan.schema, plan.link)

    def __call__(self, batch: Batch) -> Taken:
        """Validate one batch."""
        checked = self._validator.check(batch)
        return Taken(batch, checked, count_nulls(checked.accepted, self._texts))
