"""Write every change of a plan to a file, CSV or NDJSON by its name (edge: one file)."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import polars as pl

from pipeline.errors import Problem, UsageError
from pipeline.model.formulas import defused
from pipeline.run.plan.differ import CHANGES
from pipeline.state.files import open_private, part_of


class ChangesFile:
    """A file that appears when the block ends well; without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> ChangesFile:
        if self._path is not None:
            try:
                self._file = open_private(part_of(self._path))
            except OSError as error:
                problem = Problem(
                    f"cannot be written: {error.strerror}", str(self._path), "name another file with --out"
                )
                raise UsageError(problem) from None
            if self._path.suffix == ".csv":
                self._file.write((",".join(CHANGES) + "\n").encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is None or self._path is None:
            return
        self._file.close()
        if kind is None:
            part_of(self._path).replace(self._path)
        else:
            part_of(self._path).unlink(missing_ok=True)

    def write(self, changes: pl.DataFrame) -> None:
        """Append changes (CHANGES)."""
        if self._file is None or self._path is None or changes.is_empty():
            return
        if self._path.suffix == ".csv":
            text = io.StringIO()
            defused(changes).write_csv(text, include_header=False)
            self._file.write(text.getvalue().encode())
        else:
            self._file.write(changes.write_ndjson().encode())
