"""Number the units of staged rows and keep their digests by partitions, beside the rows (edge: the run's folder)."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from pipeline.stage.compare import UNITS, Terms, with_units
from pipeline.stage.partitions import COMPAT
from pipeline.state.entries import home

# Digests held back until they are worth a file per partition.
BUFFERED_UNITS = 500_000
NUMBERED = {**UNITS, "number": pl.UInt32()}


def scoped(units: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """Return units with the position of their scope, by their level; those of a scope that is not known go."""
    scope = numbers.gather(units["level"]).alias("scope")
    return units.with_columns(scope).filter(scope.is_not_null()) if scope.null_count() else units.with_columns(scope)


def among(units: pl.DataFrame, numbers: pl.Series | None, but: pl.Series | None = None) -> pl.DataFrame:
    """Return the units with one of some numbers, None for all, and without some others."""
    if numbers is not None:
        units = units.filter(pl.col("number").is_in(numbers.implode()))
    return units if but is None or but.is_empty() else units.filter(~pl.col("number").is_in(but.implode()))


class UnitFiles:
    """Digests of the units of one run (NUMBERED), partitioned by the highest `bits` bits of `profile`.

    With `names` the profile keys are kept as texts besides.
    """

    def __init__(self, folder: Path, terms: Terms, bits: int, *, names: bool = False) -> None:
        self._folder, self.terms, self.bits, self.names = folder, terms, bits, names
        self._buffer: list[pl.DataFrame] = []
        self._named: list[pl.DataFrame] = []
        self._buffered = self._segments = 0
        self.count = 0

    def start_over(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._buffer.clear()
        self._named.clear()
        self._buffered = self._segments = self.count = 0

    def numbered(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return settled rows with the numbers of their units, from 0, and the units; keeps nothing."""
        return with_units(rows, self.terms)

    def add(self, rows: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
        """Keep what `numbered` made, and return the rows with numbers of the whole run.

        Raises OSError when the disk is full.
        """
        first = self.count
        if self.names:
            last = (rows["_profile"] != rows["_profile"].shift(-1)).fill_null(True).arg_true()
            own = units.select("profile", "unit").head(last.len())
            self._named.append(own.hstack(rows.select(self.terms.keys.profile)[last]))
        self._buffer.append(units.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.UInt32).alias("number")))
        self.count += units.height
        self._buffered += units.height
        if self._buffered >= BUFFERED_UNITS:
            self.flush()
        return rows.with_columns(pl.col("_profile") + first, pl.col("_unit") + first)

    def flush(self) -> None:
        """Write what is held back."""
        if not self._buffer:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(pl.concat(self._buffer), "units")
        if self.names:
            self._write(pl.concat(self._named), "names")
        self._segments += 1
        self._buffer.clear()
        self._named.clear()
        self._buffered = 0

    def _write(self, frame: pl.DataFrame, kind: str) -> None:
        for (at,), part in frame.group_by(home(pl.col("profile"), self.bits).alias("_home")):
            path = self._folder / f"{kind}-{at:04d}-{self._segments:04d}.arrow"
            part.drop("_home", strict=False).write_ipc_stream(path, compression="uncompressed", compat_level=COMPAT)

    def part(self, at: int, bits: int) -> pl.DataFrame:
        """Return the units of partition `at` of `bits`, which are as many as this has, or more."""
        return self._read("units", at, bits, pl.DataFrame(schema=NUMBERED))

    def keys_part(self, at: int, bits: int) -> pl.DataFrame:
        """Return `profile`, `unit` and the texts of the profile keys of such a partition."""
        schema = {"profile": pl.UInt64(), "unit": pl.UInt64(), **dict.fromkeys(self.terms.keys.profile, pl.String())}
        return self._read("names", at, bits, pl.DataFrame(schema=schema))

    def _read(self, kind: str, at: int, bits: int, empty: pl.DataFrame) -> pl.DataFrame:
        more = bits - self.bits
        paths = sorted(self._folder.glob(f"{kind}-{at >> more:04d}-*.arrow"))
        found = pl.concat([empty, *(pl.read_ipc_stream(path) for path in paths)])
        return found.filter(home(pl.col("profile"), bits) == at) if more else found
