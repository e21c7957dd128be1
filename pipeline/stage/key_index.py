"""Remember in which chunk each key of a run went, after the staged rows are gone (edge: the run's folder).

Hashes of keys, never keys: a small file per some hundred thousand rows, in `runs/RUN/keys/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl

from pipeline.model.chunk import Chunk
from pipeline.stage.partitions import write_rows
from pipeline.validate.keys import fold, hashed

FOLDER = "keys"
# Rows held back until they are worth a file.
_BUFFERED_ROWS = 200_000
# Hashes are the same in every process of one version of polars; this one, in a file's name, shows a file of another.
_PROBE = hashed([pl.Series(["probe"])])[0]


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
        finally:
            self._flush()

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
            number = len(list(self._folder.glob("*.arrow")))
            write_rows(pl.concat(self._buffer).sort("_key"), self._folder / f"{number:06d}-{_PROBE}.arrow")
            self._buffer.clear()
            self._rows = 0


def _noted(folder: Path) -> set[int]:
    paths = list(folder.glob("*.arrow"))
    if not paths:
        return set()
    return set(pl.scan_ipc(paths).select(pl.col("_chunk").unique()).collect()["_chunk"])


def places_of(run_folders: Mapping[str, Path], key: tuple[str, ...]) -> dict[str, list[tuple[int, int, int]]]:
    """Find a key (maybe the same) in the indexes of runs; returns (chunk, file position, line) by run, in file order."""
    wanted = hashed([fold(pl.Series([text])) for text in key])[0]
    paths = {
        str(path): run
        for run, folder in run_folders.items()
        for path in sorted((folder / FOLDER).glob(f"*-{_PROBE}.arrow"))
    }
    found: dict[str, list[tuple[int, int, int]]] = {}
    if paths:
        rows = pl.scan_ipc(list(paths), include_file_paths="_path").filter(pl.col("_key") == wanted).collect()
        for path, chunk, file, line in (
            rows.select("_path", "_chunk", "_file", "_line").sort("_file", "_line").iter_rows()
        ):
            found.setdefault(paths[path], []).append((chunk, file, line))
    return found
