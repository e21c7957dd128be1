"""Find cells that have lost their leading zeros since a run set them aside: a spreadsheet reads them as numbers (edge: files).

Nothing in such a file shows it, and `42` would become another customer than `00042`. So a run keeps beside its files which of
their cells begin with a zero, and whoever reads such a file again, wherever it was saved, compares.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipeline.errors import Problem
from pipeline.extract.ours import saved_as
from pipeline.log import get_logger
from pipeline.model.files import SourceFile
from pipeline.model.rows import OURS
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger

# The files of a run that people mend; the first is written once, the others when the run ends.
_FILES = ("rejects.csv", "failed.csv", "unknown.csv", "open.csv")
_PLACE = ("_file", "_line", "_record")
_ZERO_FIRST = r"^0[0-9]+$"
_HEAD_BYTES = 1 << 20
# A file that stands elsewhere, and is no replay, is compared with those of so many runs of the job.
_MOST_RUNS = 50


def note_zeros(folder: Path) -> None:
    """Keep which cells of the files in a run's folder begin with a zero, by their place; raises OSError."""
    for name in _FILES:
        path, notes = folder / name, folder / f"zeros-{name.removesuffix('.csv')}.arrow"
        if not path.is_file() or (name == _FILES[0] and notes.exists()):  # it may have been mended since
            continue
        try:
            _zeros_of(path).write_ipc(notes)
        except pl.exceptions.PolarsError:
            get_logger().warning("zeros.not_noted", file=name)
            continue
        notes.chmod(0o600)


def _zeros_of(path: Path) -> pl.DataFrame:
    """Return the places of rows that have a number with a zero first, and those cells; all others are null."""
    rows = pl.scan_csv(path, infer_schema=False)
    cells = [column for column in rows.collect_schema().names() if column not in OURS]
    zeros = [pl.when(pl.col(column).str.contains(_ZERO_FIRST)).then(pl.col(column)) for column in cells]
    found = rows.select(*_PLACE, *zeros).filter(pl.any_horizontal(pl.col(cells).is_not_null()))
    return found.collect(engine="streaming")


def lost_zeros(files: Sequence[SourceFile], ledger: Ledger, job: str, replay_of: str | None) -> Iterator[Problem]:
    """Name the columns of mended files whose cells have lost zeros, each with the first line."""
    for file in files:
        rows = _rows(file.path)
        if rows is None or not {*_PLACE} <= {*rows.columns}:
            continue
        for notes in _notes(file.path, ledger, job, replay_of):
            both = notes.join(rows.with_row_index("_at"), on=_PLACE, suffix=":now")
            for column in notes.columns:
                if column not in OURS and f"{column}:now" in both.columns:
                    yield from _problems(file, column, both)


def _problems(file: SourceFile, column: str, both: pl.DataFrame) -> Iterator[Problem]:
    then, now = pl.col(column), pl.col(f"{column}:now")
    lost = both.filter(
        then.is_not_null() & (now != then) & (now.str.strip_chars_start("0") == then.str.strip_chars_start("0"))
    ).sort("_at")
    if lost.is_empty():
        return
    had, has = len(lost[column][0]), len(lost[f"{column}:now"][0])
    count = f"{lost.height:,} cells of {column} have" if lost.height > 1 else f"a cell of {column} has"
    where = f"{file.name}, record {lost['_at'][0] + 1:,}"
    what = f"{count} lost leading zeros since the run set them aside: the first has {has} of {had} digits"
    do = "import the column as text into the spreadsheet, so that it keeps them, and save again"
    yield Problem(what, where, f"{do}; where they are meant to go, clear the row's _record")


def _rows(path: Path) -> pl.DataFrame | None:
    """Read a CSV file of ours as it was saved; None for any other, and for one that cannot be read so."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        saved = saved_as(head[: head.find(b"\n") + 1] or head)
        if saved is None:
            return None
        text = path.read_bytes().decode(saved.encoding).removeprefix("\ufeff")
        source = io.BytesIO(text.encode())
        return pl.read_csv(source, separator=saved.delimiter, infer_schema=False, truncate_ragged_lines=True)
    except (OSError, UnicodeError, pl.exceptions.PolarsError):
        return None


def _notes(path: Path, ledger: Ledger, job: str, replay_of: str | None) -> Iterator[pl.DataFrame]:
    """Yield the notes of the runs that a file may come from: the one in whose folder it is, or that is replayed, or any."""
    runs = ledger.state_dir.absolute() / "runs"
    if path.absolute().is_relative_to(runs):
        names = [path.absolute().relative_to(runs).parts[0]]
    else:
        names = [replay_of] if replay_of is not None else [row.id for row in ledger.runs(job, _MOST_RUNS)]
    for name in names:
        for notes in sorted(RunFolder(ledger.state_dir, name).path.glob("zeros-*.arrow")):
            try:
                yield pl.read_ipc(notes)
            except (OSError, pl.exceptions.PolarsError):  # torn by a power cut: nothing to compare with
                continue
