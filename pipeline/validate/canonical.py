"""Read canonical text again: the values of failed.csv and of accepted rows, whatever the job's marks and forms are (pure)."""

from __future__ import annotations

from pipeline.model.columns import FieldSpec
from pipeline.model.job import ColumnReading
from pipeline.validate.dates import COPERNICA_ZONE


def canonical_reading(spec: FieldSpec) -> ColumnReading:
    """Return how a column of canonical text is read: only what this program writes itself (data rule 10)."""
    yes_no = ("Yes", "No") if spec.interest or spec.yes_no is None else spec.yes_no
    return ColumnReading(
        # A text that is sent in place of an empty value is empty again.
        null_values=() if spec.empty is None else (spec.empty,),
        decimal=".",
        thousands=None,
        dates=(),
        timezone=COPERNICA_ZONE,
        true_values=yes_no[:1],
        false_values=yes_no[1:],
        fractions="zero",
        trim=False,
    )
