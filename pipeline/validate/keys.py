"""Judge key values: which are usable, which are the same or may be (pure).

"Maybe the same" (data rule 15) is defined here and nowhere else: `maybe_same` for one text, `fold` for a column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import polars as pl

from pipeline.model.columns import Kind
from pipeline.validate.checks import quoted

# Unicode White_Space, which is also what polars strips; str.strip() would take the separators U+001C to U+001F as well.
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# ASCII that can be printed, without outer blanks: nothing to find fault with and nothing to fold but case.
_PLAIN = r"^[!-~](?:[ -~]*[!-~])?$"
# Line breaks, control characters and format characters (invisible ones, such as U+FEFF, U+200B, U+00AD).
_CONTROL = r"[\p{Cc}\p{Cf}\x{2028}\x{2029}]"

# Letters whose decomposition all versions of Unicode agree on; newer ones are left to one library, Python's.
_LATIN = r"^[\x{0}-\x{24f}\x{300}-\x{36f}]*$"
_MARKS = r"\p{M}"

# Types whose values Copernica rewrites, so that nothing can be demanded of what comes back (API sheet 13, ?U28).
REWRITTEN = frozenset({"phone", "phone_fax", "phone_gsm"})

# Fixed, so that partitions and resumed runs of one polars version agree.
_SEED = 20_240_229


def maybe_same(text: str, kind: Kind = "text") -> str:
    """Return a text that is equal for all spellings that Copernica may take for one key (data rule 15).

    Texts are trimmed, decomposed (NFKD) without marks and case-folded; numbers in canonical notation are distinguished by
    value. Applying it twice changes nothing.
    """
    if kind == "decimal" and "." in text:
        text = text.rstrip("0").rstrip(".")
    if text.isascii():
        return text.strip(BLANKS).lower()
    # Twice: what folding case leaves can be decomposed further, and decomposing can leave outer blanks.
    return _bare(_bare(text).casefold()).casefold().strip(BLANKS)


def _bare(text: str) -> str:
    """Return a text decomposed (NFKD), without its marks."""
    return "".join(
        char for char in unicodedata.normalize("NFKD", text) if not unicodedata.category(char).startswith("M")
    )


def fold(texts: pl.Series, kind: Kind = "text", *, trimmed: bool = False) -> pl.Series:
    """Return `maybe_same` of every text (data rule 15), null for null; `trimmed` means that none has outer blanks.

    Only distinct texts with characters that are neither ASCII nor Latin letters with marks pass through Python.
    """
    if kind == "decimal":
        value = texts.str.strip_chars_end("0").str.strip_suffix(".")
        texts = value.zip_with(texts.str.contains(".", literal=True).fill_null(False), texts)
    folded = (texts if trimmed else texts.str.strip_chars(BLANKS)).str.to_lowercase()
    other = texts.str.len_bytes() != texts.str.len_chars()
    if not other.any():
        return folded
    rows = other.arg_true()
    return folded.scatter(rows, _folded(texts.gather(rows)))


def _folded(texts: pl.Series) -> pl.Series:
    """Fold texts that are not ASCII; those of Latin letters that leave ASCII behind without their marks natively."""
    bare = texts.str.normalize("NFKD").str.replace_all(_MARKS, "")
    native = texts.str.contains(_LATIN) & (bare.str.len_bytes() == bare.str.len_chars())
    folded = bare.str.strip_chars(BLANKS).str.to_lowercase()
    if native.all():
        return folded
    other = texts.filter(~native)
    unique = other.unique()
    in_python = pl.Series([maybe_same(text) for text in unique], dtype=pl.String)
    return folded.scatter((~native).arg_true(), other.replace_strict(unique, in_python))


def maybe_same_text(column: str) -> pl.Expr:
    """Return `fold` of a text column as an expression."""
    return pl.col(column).map_batches(fold, return_dtype=pl.String)


def key_fits(asked: Sequence[str], returned: Sequence[str], types: Sequence[str]) -> bool:
    """Return whether a record that a lookup returned has the key that was asked for: maybe the same (data rules 15, 31).

    `types` are those of the live key fields, all three in one order. Copernica rewrites phone numbers, so that any is accepted.
    """
    return all(
        kind in REWRITTEN or maybe_same(there) == maybe_same(ours)
        for ours, there, kind in zip(asked, returned, types, strict=True)
    )


def key_faults(cells: pl.Series, carried: pl.Series | None) -> pl.DataFrame | None:
    """Name the rows whose key must not leave: blank, with outer blanks, or with a control or format character (data rule 16).

    `cells` are the texts of one key column, null where empty; `carried` the rows that carry its collection, None for
    all. Returns the columns of BAD_SCHEMA, or None where nothing is wrong.
    """
    suspect = ~cells.str.contains(_PLAIN).fill_null(False)
    if carried is not None:
        suspect &= carried
    if not suspect.any():
        return None
    rows = suspect.arg_true()
    text = pl.col("text")
    blank = text.is_null() | (text.str.strip_chars(BLANKS) == "")
    code = (
        pl.when(blank)
        .then(pl.lit("key_blank"))
        .when(text.str.contains(_CONTROL))
        .then(pl.lit("key_control"))
        .when(text != text.str.strip_chars(BLANKS))
        .then(pl.lit("key_outer_blank"))
    )
    found = pl.DataFrame({"_row": rows.cast(pl.UInt32), "text": cells.gather(rows)}).with_columns(code.alias("code"))
    found = found.filter(pl.col("code").is_not_null())
    return found.select("_row", "code", _message(found).alias("message")) if found.height else None


def _message(found: pl.DataFrame) -> pl.Series:
    words = {
        "key_control": " has a line break, a control or a format character",
        "key_outer_blank": " has outer blanks",
    }
    tail = found["code"].replace_strict(words, default=None, return_dtype=pl.String)
    if tail.null_count() == found.height:
        return pl.repeat("the key is empty", found.height, dtype=pl.String, eager=True)
    return (quoted(found["text"]) + tail).fill_null("the key is empty")


def hashed(texts: Sequence[pl.Series]) -> pl.Series:
    """Hash rows of texts to UInt64; the same in every process of one polars version."""
    if len(texts) == 1:
        return texts[0].hash(_SEED)
    frame = pl.DataFrame([text.alias(str(at)) for at, text in enumerate(texts)])
    return frame.select(pl.struct(frame.columns).hash(_SEED)).to_series()
