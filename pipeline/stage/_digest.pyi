"""Digest rows of texts."""

import polars as pl

class Table:
    """Rows as an Arrow struct array, to be taken once: columns `high` and `low`, UInt64."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

def digests(frame: pl.DataFrame, key: bytes, filled: bytes, /) -> Table:
    """Digest each row of a frame of text columns: SipHash-2-4 of 128 bits under a key of 16 bytes.

    The message of a row is each text as its length in bytes in digits, `:` and its bytes; a null is `-`. Where the first column
    is of numbers (UInt32, without nulls, in one chunk), rows in succession with one number are one message of what they leave:
    per column the text of the last row, or where its byte in `filled` (one per text column) is not 0 the last that is not null.
    Raises TypeError for a column that is no text, ValueError for a key or `filled` of another length, or for several chunks.
    """
