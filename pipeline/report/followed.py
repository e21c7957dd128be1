"""Find the rejects that a later accepted row of their key follows, and name that row beside them (edge).

A mended reject must not overwrite what a newer row has brought (data rule 40). What is kept in memory is the key and the
place of each reject, and the last row of each of these keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline.model.formulas import defused
from pipeline.model.rows import FOLLOWED_BY, Batch, Checked

# What names a reject: the file, the record, and for JSON the element ("" for none).
_NAMES = ("_file", "_record", "_element")
_LAST = {"_key": pl.UInt64(), "_last": pl.UInt64(), "_place": pl.String()}
# Records of a file are fewer.
_RECORDS = 1 << 40


class Followed:
    """Take every batch with what became of it, in order; then `places` has the rejects that were followed."""

    def __init__(self) -> None:
        self._rejects: list[pl.DataFrame] = []
        self._keys = pl.Series(dtype=pl.UInt64)
        self._last = pl.DataFrame(schema=_LAST)

    def add(self, batch: Batch, checked: Checked) -> None:
        """Take the rejects of a batch, and the accepted rows whose key a reject has."""
        at = pl.lit(batch.file.index * _RECORDS, pl.UInt64) + pl.col("_record")
        if checked.rejected_keys.len() > checked.rejected_keys.null_count():
            rows = batch.frame.select("_record", "_element")[checked.faults["_row"]].select(
                checked.rejected_keys.alias("_key"),
                at.alias("_at"),
                pl.lit(batch.file.name).alias("_file"),
                pl.col("_record").cast(pl.String),
                pl.col("_element").cast(pl.String).fill_null(""),
            )
            self._rejects.append(rows.drop_nulls("_key"))
            self._keys = pl.concat([self._keys, self._rejects[-1]["_key"]]).unique()
        if not self._keys.len():
            return
        place = pl.concat_str(pl.lit(f"{batch.file.name} line "), pl.col("_line").cast(pl.String))
        last = checked.accepted.filter(pl.col("_key").is_in(self._keys.implode()))
        if last.height:
            last = last.select("_key", at.alias("_last"), place.alias("_place"))
            self._last = pl.concat([self._last, last]).unique("_key", keep="last", maintain_order=True)

    def places(self) -> pl.DataFrame:
        """Return `_file`, `_record` and `_element` of the rejects that are followed, as texts, and `_followed_by`."""
        if not self._rejects:
            return pl.DataFrame(schema=dict.fromkeys((*_NAMES, FOLLOWED_BY), pl.String()))
        rejects = pl.concat(self._rejects).join(self._last, on="_key")
        return rejects.filter(pl.col("_last") > pl.col("_at")).select(*_NAMES, pl.col("_place").alias(FOLLOWED_BY))


def name_in_csv(old: Path, new: BinaryIO, places: pl.DataFrame) -> None:
    """Write a CSV rejects file again with the places in `_followed_by`; memory does not grow with it."""
    rows = pl.scan_csv(old, infer_schema=False)
    before = pl.col("_before") if FOLLOWED_BY in rows.collect_schema().names() else pl.lit(None, pl.String)
    joined = rows.rename({FOLLOWED_BY: "_before"}, strict=False).join(
        defused(places.drop("_element")).lazy(), on=["_file", "_record"], how="left", maintain_order="left"
    )
    joined.with_columns(pl.coalesce(FOLLOWED_BY, before).alias(FOLLOWED_BY)).drop("_before", strict=False).sink_csv(new)


def name_in_ndjson(old: Path, new: BinaryIO, places: pl.DataFrame) -> None:
    """Write an NDJSON rejects file again with the places as the last key."""
    known = {row[:3]: row[3] for row in places.iter_rows()}
    with old.open("rb") as lines:
        for line in lines:
            row = json.loads(line, parse_int=str)
            place = known.get((row["_file"], row["_record"], row.get("_element") or ""))
            if place is not None:
                trailer = json.dumps({FOLLOWED_BY: place}, ensure_ascii=False).encode()
                line = line.rstrip()[:-1] + b"," + trailer[1:] + b"\n"
            new.write(line)
