"""Defuse texts that a spreadsheet would run as formulas, and restore them when they are read again (pure)."""

from __future__ import annotations

import polars as pl

# What a spreadsheet runs: `=` and `@` at the start, also behind tabs and carriage returns; a sign, unless a plain number
# follows. What looks defused is defused once more.
_RUNS = r"^(?:'+[\t\r]*[=@+-]|[\t\r]*[=@]|[\t\r]+[+-]|[+-](?:[^0-9]|[0-9., ]*[^0-9., ]))"
# A defused text begins with one more apostrophe than it had; no other text of ours begins like that.
_DEFUSED = r"^'+[\t\r]*[=@+-]"


def defused(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with an apostrophe before each text that a spreadsheet would run; `restored` takes it away."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(_RUNS)).then(text.str.replace("^", "'")).otherwise(text))


def restored(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its texts as they were before `defused`."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(_DEFUSED)).then(text.str.slice(1)).otherwise(text))
