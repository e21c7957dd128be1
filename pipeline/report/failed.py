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

from pipeline.model.rows import REJECT_COLUMNS
from pipeline.state.files import write_whole

# Names a row in the file: those of the trailing columns that do not depend on why it failed.
_PLACE = ("_file", "_line", "_record")


class FailedWriter:
    """Append rows to one file, made with the first one, mode 0600; each is in the file when `write` returns.

    `columns` are the target columns, `file_names` the names of the run's files by their position. Rows that stand in the
    file already (a run is gone on with) are replaced when they fail again, and go when they are withdrawn: both when
    `settle` is called. A file without rows goes, too. Many threads may write.
    """

    def __init__(self, path: Path, columns: Sequence[str], file_names: Sequence[str]) -> None:
        self._path, self._columns, self._file_names = path, tuple(columns), tuple(file_names)
        self._lock = Lock()
        self._file: int | None = None
        self._before: Counter[int] = Counter()
        self._changes: dict[int, list[bytes]] = {}
        self._written: set[int] = set()
        self.rows = 0
        if path.exists():
            before = pl.read_csv(path, infer_schema=False)
            self._before, self.rows = Counter(self._digests(before)), before.height

    @property
    def path(self) -> Path | None:
        """Give the file, None while there is none."""
        return self._path if self._path.exists() else None

    def write(self, row: Mapping[str, Any], code: str, column: str, message: str) -> None:
        """Add a row in the staged layout; `column` is the target column that is to blame, or empty."""
        frame = self._frame(row, code, column, message)
        with self._lock:
            if row["_seq"] in self._written:
                return
            line = frame.write_csv(include_header=False).encode()
            if not self._claim(frame, line):
                self._append(line)
                self._written.add(row["_seq"])

    def withdraw(self, row: Mapping[str, Any]) -> None:
        """Let a row go that did not fail in the end, where it stands in the file."""
        with self._lock:
            if row["_seq"] in self._written:
                self._written.remove(row["_seq"])
                self._changes.setdefault(self._digests(self._frame(row))[0], []).append(b"")
            elif self._before.total():
                self._claim(self._frame(row), b"")

    def settle(self) -> None:
        """Replace the rows that failed again, and drop those that were withdrawn; the file is whole at any moment."""
        with self._lock:
            if not self._changes:
                return
            frame = pl.read_csv(self._path, infer_schema=False)
            lines = []
            for at, digest in enumerate(self._digests(frame)):
                changes = self._changes.get(digest)
                lines.append(changes.pop(0) if changes else frame[at].write_csv(include_header=False).encode())
            self._changes.clear()
            self._replace([line for line in lines if line])

    def _claim(self, frame: pl.DataFrame, line: bytes) -> bool:
        """Have one line of an earlier process replaced, where there is one for this row."""
        (digest,) = self._digests(frame)
        if not self._before[digest]:
            return False
        self._before[digest] -= 1
        self._changes.setdefault(digest, []).append(line)
        return True

    def _frame(self, row: Mapping[str, Any], code: str = "", column: str = "", message: str = "") -> pl.DataFrame:
        place = {"_file": self._file_names[row["_file"]], "_line": row["_line"], "_record": row["_record"]}
        cells = {name: row[name] or None for name in self._columns}
        why = {"_code": code, "_column": column or None, "_message": message, "_raw": None}
        return pl.DataFrame(
            {name: [None if text is None else str(text)] for name, text in (cells | place | why).items()},
            schema=dict.fromkeys((*self._columns, *REJECT_COLUMNS), pl.String),
        )

    def close(self) -> None:
        """Close the file."""
        self.settle()
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _replace(self, lines: Sequence[bytes]) -> None:
        self._close()
        self.rows = len(lines)
        if not lines:
            self._path.unlink()
            return
        write_whole(self._path, b"".join([self._header(), *lines]))

    def _header(self) -> bytes:
        return pl.DataFrame(schema=dict.fromkeys((*self._columns, *REJECT_COLUMNS), pl.String)).write_csv().encode()

    def __enter__(self) -> FailedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.fchmod(self._file, 0o600)
            if self._path.stat().st_size == 0:
                os.write(self._file, self._header())
        self.rows += 1
        os.write(self._file, line)

    def _digests(self, frame: pl.DataFrame) -> list[int]:
        """Give a hash of each row's values and place."""
        return frame.select(pl.struct(*self._columns, *_PLACE).hash(1)).to_series().to_list()
