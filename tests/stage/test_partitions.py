"""Partitions write rows as they come, so that memory does not grow with the input."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.stage.partitions import BUFFERED_ROWS, Partitions


def rows(first: int, count: int) -> pl.DataFrame:
    numbers = pl.Series("_key", range(first, first + count), dtype=pl.UInt64)
    return pl.DataFrame([numbers, numbers.alias("_seq")])


def test_rows_are_written_before_there_are_many(tmp_path: Path) -> None:
    """Invariant 10: a set number of rows is held at most; what is beyond is on disk before anybody asks for it."""
    partitions = Partitions(tmp_path / "rows", 4)
    half = BUFFERED_ROWS // 2
    partitions.add(rows(0, half))
    assert list((tmp_path / "rows").iterdir()) == []
    partitions.add(rows(half, half))
    files = list((tmp_path / "rows").iterdir())
    assert sum(pl.read_ipc_stream(file).height for file in files) == BUFFERED_ROWS
    partitions.add(rows(2 * half, 1))
    assert len(list((tmp_path / "rows").iterdir())) == len(files) == 4
    assert sum(frame.height for frame in partitions.frames()) == BUFFERED_ROWS + 1
