"""Take the input in: extract, link and validate every record, set rejects aside, hand accepted rows on (wiring)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.errors import AccountingError, Problem
from pipeline.overlap import ahead
from pipeline.plan import Plan
from pipeline.records import Batch, FileFacts, LiveField
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter


@dataclass
class Intake:
    """What was counted while the input was read, each where it happened (data rules 1, 2).

    `read` comes from the extractor's own counts per file, the others from the rows that went by.
    """

    malformed: int = 0
    rejected: int = 0
    rejected_by_target: int = 0
    valid: int = 0
    facts: tuple[FileFacts, ...] = ()
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Give the rows read, malformed ones included."""
        return sum(facts.records for facts in self.facts)

    def check(self) -> None:
        """Compare the sums; one that is off is a bug and stops the run before anything is sent."""
        if self.read != self.malformed + self.rejected + self.valid:
            raise AccountingError(
                Problem(
                    f"{self.read} records were read, but {self.malformed} malformed, {self.rejected} rejected and"
                    f" {self.valid} valid ones were counted",
                    do="nothing was sent; please report this with the run's log",
                )
            )


def take_in(
    plan: Plan,
    live: Mapping[str, LiveField] | None,
    rejects: RejectsWriter,
    keep: Callable[[Batch, pl.DataFrame], None],
    *,
    limit: int | None,
    reporter: Reporter,
) -> Intake:
    """Read all files; `keep` gets the accepted rows of every batch, `rejects` the rest.

    Raises InputError when a file is refused, after all files were looked at.
    """
    intake = Intake()
    extraction = plan.extraction(limit)
    validator = plan.validator(live)
    seen_bytes = 0
    with reporter.stage("read and validate", extraction.bytes_total) as advance:
        for batch in ahead(extraction):
            checked = validator.check(batch)
            rejects.write(batch, checked.faults)
            keep(batch, checked.accepted)
            intake.malformed += batch.malformed.height
            intake.rejected += checked.faults.height
            intake.rejected_by_target += int(checked.faults["_by_target"].sum())
            intake.valid += checked.accepted.height
            advance(extraction.bytes_read - seen_bytes)
            seen_bytes = extraction.bytes_read
    intake.facts = extraction.facts
    intake.codes = dict(rejects.codes)
    intake.check()
    return intake
