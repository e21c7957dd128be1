"""Write failed.csv: the rows that Copernica did not take, each with the reason, as they come (edge).

The target columns in canonical text, then the trailing columns of a rejects file; the same dialect.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import polars as pl

from pipeline.records import REJECT_COLUMNS

# Names a row in the file: those of the trailing columns that do not depend on why it failed.
_PLACE = ("_file", "_line", "_record")


class FailedWriter:
    """Append rows to one file, made with the first one, mode 0600; each is in the file when `write` returns.

    `columns` are the target columns, `file_names` the names of the run's files by their position. Rows that stand in the
    file already (a run is gone on with) are not written again. Many threads may write.
    """

    def __init__(self, path: Path, columns: Sequence[str], file_names: Sequence[str]) -> None:
        self._path, self._columns, self._file_names = path, tuple(columns), tuple(file_names)
        self._lock = Lock()
        self._file: int | None = None
        self._before: Counter[int] = Counter()
        self.rows = 0

    @property
    def path(self) -> Path | None:
        """Give the file, None while there is none."""
        return self._path if self._path.exists() else None

    def write(self, row: Mapping[str, Any], code: str, column: str, message: str) -> None:
        """Add a row in the staged layout; `column` is the target column that is to blame, or empty."""
        place = {"_file": self._file_names[row["_file"]], "_line": row["_line"], "_record": row["_record"]}
        cells = {name: row[name] or None for name in self._columns}
        why = {"_code": code, "_column": column or None, "_message": message, "_raw": None}
        frame = pl.DataFrame(
            {name: [None if text is None else str(text)] for name, text in (cells | place | why).items()},
            schema=dict.fromkeys((*self._columns, *REJECT_COLUMNS), pl.String),
        )
        with self._lock:
            self._append(frame)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def __enter__(self) -> FailedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, frame: pl.DataFrame) -> None:
        if self._file is None:
            self._open()
        (digest,) = self._digests(frame)
        if self._before[digest]:
            self._before[digest] -= 1
            return
        self.rows += 1
        os.write(self._file or 0, frame.write_csv(include_header=False).encode())

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(self._file, 0o600)
        header = pl.DataFrame(schema=dict.fromkeys((*self._columns, *REJECT_COLUMNS), pl.String)).write_csv().encode()
        if self._path.stat().st_size == 0:
            os.write(self._file, header)
            return
        before = pl.read_csv(self._path, infer_schema=False)
        self._before = Counter(self._digests(before))
        self.rows = before.height

    def _digests(self, frame: pl.DataFrame) -> list[int]:
        """Give a hash of each row's values and place."""
        return frame.select(pl.struct(*self._columns, *_PLACE).hash(1)).to_series().to_list()
