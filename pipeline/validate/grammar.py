"""Name what parsing needs to know of a kind of value (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

# The column that the expressions of a grammar read.
TEXT = "text"


@dataclass(frozen=True)
class Grammar:
    """How the values of one kind are read (data rule 10).

    `is_canonical` is the cheap test: true only where the text stands as it will be sent, provided that `typed` gives a
    value; false or null leaves it to `canonical`, which decides exactly: the text to send, or null for what is not of
    the kind. `typed` turns canonical text into the type of the schema, null where it does not fit.
    `complaint` follows the quoted value in a message; `beyond_…` is for canonical text that does not fit the type.
    """

    is_canonical: Callable[[pl.Series], pl.Series]
    canonical: pl.Expr
    typed: Callable[[pl.Series], pl.Series]
    code: str
    complaint: pl.Expr
    beyond_code: str = "out_of_range"
    beyond_complaint: str = "is out of range"
