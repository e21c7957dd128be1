"""Remember in which chunk each key of a run went, after the staged rows are gone (edge: the run's folder).

Hashes of keys, never keys: a small file per some hundred thousand rows, in `runs/RUN/keys/`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.model.chunk import Chunk
from pipeline.stage.partitions import write_rows
from pipeline.validate.keys import fold, hashed

FOLDER = "keys"
# Rows held back until they are worth a file.
_BUFFERED_ROWS = 200_000
_BUFFERED_KEYS = 1_000_000
# The keys of a dump that was compared with what was confirmed, most of which were not sent.
_UNCHANGED = "compared"
# Hashes are the same in every process of one version of polars; this one, in a file's name, shows a file of another.
PROBE = hashed([pl.Series(["probe"])])[0]


class KeyIndex:
    """Write the index of one run while its chunks go by; chunks that an earlier process has noted are not noted again."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / FOLDER
        self._buffer: list[pl.DataFrame] = []
        self._rows = 0
        self._noted = _noted(self._folder)

    def noting(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Pass chunks on, each noted; what is held back is written when they end. Raises OSError when the disk is full."""
        try:
            for chunk in chunks:
                self._add(chunk)
                yield chunk
        except BaseException:
            with suppress(OSError):  # what stopped it is to be reported, and a full disk may be just that
                self._flush()
            raise
        self._flush()

    def note_unchanged(self, frames: Iterable[pl.Series]) -> None:
        """Note the `_key`s of a dump that was compared (frames of them, those of a key together); those that are sent, too."""
        held: list[pl.Series] = []
        number = 0
        for keys in frames:
            held.append(keys.filter(keys.ne_missing(keys.shift())))
            if sum(map(len, held)) >= _BUFFERED_KEYS:
                self._write_unchanged(pl.concat(held), number)
                held.clear()
                number += 1
        if held:
            self._write_unchanged(pl.concat(held), number)

    def _write_unchanged(self, keys: pl.Series, number: int) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_rows(keys.to_frame(), self._folder / f"{_UNCHANGED}-{number:06d}-{PROBE}.arrow")

    def _add(self, chunk: Chunk) -> None:
        if chunk.cut in self._noted:
            return
        self._noted.add(chunk.cut)
        known = chunk.rows.select("_key", "_file", "_line", pl.lit(chunk.cut, pl.UInt32).alias("_chunk"))
        self._buffer.append(known)
        self._rows += known.height
        if self._rows >= _BUFFERED_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            number = 1 + max((int(path.name[:6]) for path in self._folder.glob("[0-9]*.arrow")), default=-1)
            write_rows(pl.concat(self._buffer).sort("_key"), self._folder / f"{number:06d}-{PROBE}.arrow")
            self._buffer.clear()
            self._rows = 0


def keys_since(run_folder: Path, cuts: Collection[int], wanted: pl.Series) -> pl.Series | None:
    """Return those of the `wanted` keys that a run has sent in the chunks `cuts`, or found unchanged.

    None where that is not known any more: its index was deleted, or is of another version of the hash.
    """
    folder = run_folder / FOLDER
    sent, compared = (sorted(folder.glob(f"{kind}-*.arrow")) for kind in ("[0-9]*", _UNCHANGED))
    readable = all(path.stem.endswith(f"-{PROBE}") and _is_whole(path) for path in (*sent, *compared))
    if not readable or (cuts and not sent):
        return None
    found = [wanted.clear()]
    for path in (*sent, *compared):
        rows = pl.read_ipc(path, columns=["_key"] if path in compared else ["_key", "_chunk"])
        own = rows["_key"] if path in compared else rows.filter(rows["_chunk"].is_in(list(cuts)))["_key"]
        found.append(own.filter(own.is_in(wanted.implode())).unique())
    return pl.concat(found).unique()


def _noted(folder: Path) -> set[int]:
    found = list(folder.glob("[0-9]*.arrow"))
    paths = [path for path in found if _is_whole(path)]
    for torn in {*found}.difference(paths):  # its chunks are noted once more
        torn.unlink()
    if not paths:
        return set()
    return set(pl.scan_ipc(paths).select(pl.col("_chunk").unique()).collect()["_chunk"])


def _is_whole(path: Path) -> bool:
    """Return whether a file can be read; a full disk or a power cut leaves a part of it."""
    try:
        pl.read_ipc_schema(path)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def places_of(run_folders: Mapping[str, Path], key: tuple[str, ...]) -> dict[str, list[tuple[int, int, int]]]:
    """Find a key (maybe the same) in the indexes of runs; returns (chunk, file position, line) by run, in file order."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for run, row in _found(run_folders, key, "[0-9]*", ("_chunk", "_file", "_line")):
        found.setdefault(run, []).append(row)
    return {run: sorted(rows, key=lambda row: row[1:]) for run, rows in found.items()}


def unchanged_in(run_folders: Mapping[str, Path], key: tuple[str, ...]) -> frozenset[str]:
    """Return the runs whose dump had a key (maybe the same) and was compared with what was confirmed."""
    return frozenset(run for run, _ in _found(run_folders, key, _UNCHANGED, ()))


def _found(
    run_folders: Mapping[str, Path], key: tuple[str, ...], kind: str, columns: tuple[str, ...]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the run and some columns of each row that a kind of index has of a key."""
    wanted = hashed([fold(pl.Series([text])) for text in key])[0]
    pattern = f"{kind}-*{PROBE}.arrow" if kind == _UNCHANGED else f"{kind}-{PROBE}.arrow"
    files = ((path, run) for run, folder in run_folders.items() for path in (folder / FOLDER).glob(pattern))
    paths = {str(path): run for path, run in files if _is_whole(path)}
    if paths:
        rows = pl.scan_ipc(list(paths), include_file_paths="_path").filter(pl.col("_key") == wanted).collect()
        for path, *values in rows.select("_path", *columns).iter_rows():
            yield paths[path], tuple(values)
