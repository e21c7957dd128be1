"""Digest rows of texts, and keys."""

import polars as pl

class Table:
    """Rows as an Arrow struct array, to be taken once: numbers as `digests` says."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

def digests(frame: pl.DataFrame, key: bytes, filled: bytes, keys: int = 0, key_of_keys: bytes = ..., /) -> Table:
    """Digest each row of a frame of text columns in one chunk: SipHash-1-3 of 128 bits under a key of 16 bytes.

    The message of a row is each text as its length in bytes in digits, `:` and its bytes; a null is `-`. Where the first column
    is of numbers (UInt32, without nulls), rows in succession with one number are one message of what they leave: per column the
    text of the last row, or where its byte in `filled` (one per text column) is not 0 the last that is not null. Columns `high`
    and `low`, UInt64.

    The first `keys` text columns are a key, of which there is `key_high` and `key_low` (UInt64, under `key_of_keys`, in lower
    case where it is ASCII; of several rows that of the last), `spelling` (UInt32, of the key as it is) and `marks` (UInt8: 1
    where it is not ASCII, 2 where the rows with one number have several keys).

    Raises TypeError for a column that is no text, ValueError for a key or `filled` of another length, or for several chunks.
    """
