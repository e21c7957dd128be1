"""Write every change of a plan to a file, CSV or NDJSON by its name (edge: one file)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.model.formulas import defused
from pipeline.report.part_file import PartFile
from pipeline.run.plan.differ import CHANGES


class ChangesFile:
    """A file that appears when the block ends well; without a path nothing is written. Raises UsageError for a bad place."""

    def __init__(self, path: Path | None) -> None:
        self._part = None if path is None else PartFile(path)
        self.write(pl.DataFrame(schema=CHANGES), header=True)

    def __enter__(self) -> ChangesFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._part is not None:
            self._part.end(whole=kind is None)

    def write(self, changes: pl.DataFrame, *, header: bool = False) -> None:
        """Append changes (CHANGES)."""
        if self._part is None:
            return
        if self._part.path.suffix == ".csv":
            defused(changes).write_csv(self._part.file, include_header=header)
        else:
            self._part.file.write(changes.write_ndjson().encode())
