"""Name what parsing needs to know of a kind of value (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

# The column that the expressions of a grammar read.
TEXT = "text"


@dataclass(frozen=True)
class Way:
    """One way to read a text: `canonical` gives what is sent, or null, for texts that match `pattern` (None: for all)."""

    canonical: pl.Expr
    pattern: str | None = None


@dataclass(frozen=True)
class Grammar:
    """How the values of one kind are read (data rule 10).

    `is_canonical` is the cheap test: true only where the text stands as it will be sent, provided that `typed` gives a
    value. False or null leaves it to the `ways`, which decide exactly: the first that gives a text stands, and a value for
    which none does is not of the kind. `typed` turns canonical text into the type of the schema, null where it does not fit.
    `code` and `complaint`, which follows the quoted value in a message, are for those; `beyond_complaint` is for canonical text
    that does not fit the type (`out_of_range`).
    """

    is_canonical: Callable[[pl.Series], pl.Series]
    ways: tuple[Way, ...]
    typed: Callable[[pl.Series], pl.Series]
    code: str
    complaint: pl.Expr
    beyond_complaint: str = "is out of range"
