"""Digest rows of texts: 128 bits that are the same on every machine and in every version (pure).

SipHash-2-4 with an output of 128 bits, under a key. The C module does it where it was built; without a compiler the same
arithmetic runs over whole columns in polars, some ten times slower.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Sequence
from functools import cache

import polars as pl

try:
    from pipeline.stage import _digest
except ImportError:  # built without a compiler
    _digest = None  # type: ignore[assignment]

# Names what makes a digest: another name means that all digests are others. How keys are folded depends on Unicode.
ALGORITHM = f"siphash-2-4-128, rows 2, unicode {unicodedata.unidata_version}"

_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_WORD = 8

Words = list[pl.Series]


def digests(texts: pl.DataFrame, key: bytes, purpose: str) -> pl.DataFrame:
    """Return `high` and `low` (UInt64) of each row of a frame of text columns, in its order.

    `purpose` tells apart what else has equal texts; `key` has 16 bytes. Null and "" are two values.
    """
    named = pl.DataFrame([texts[name].alias(str(at)) for at, name in enumerate(texts.columns)])
    own_key = _key_for(key, purpose)
    if _digest is None:
        return digests_by_columns(named, own_key)
    return pl.DataFrame(_digest.digests(named, own_key, bytes(named.width)))


def digests_of_folds(
    texts: pl.DataFrame, numbers: pl.Series, filled: Sequence[bool], key: bytes, purpose: str
) -> pl.DataFrame:
    """Return the digests of what rows in succession with one number (UInt32) leave, in the order of the numbers.

    Per column that is the text of the last row, or where `filled` the last one that is not null.
    """
    named = [texts[name].alias(str(at)) for at, name in enumerate(texts.columns)]
    if _digest is None:
        return digests(folds(pl.DataFrame(named), numbers, filled), key, purpose)
    numbered = pl.DataFrame([numbers.alias("number"), *named])
    return pl.DataFrame(_digest.digests(numbered, _key_for(key, purpose), bytes(filled)))


def folds(texts: pl.DataFrame, numbers: pl.Series, filled: Sequence[bool]) -> pl.DataFrame:
    """Return what rows in succession with one number leave, by operations on whole columns."""
    last = (numbers != numbers.shift(-1)).fill_null(True).arg_true()
    found = []
    for name, keeps in zip(texts.columns, filled, strict=True):
        cells = texts[name]
        left = cells.gather(last)
        if keeps and cells.null_count():
            none = pl.repeat(None, cells.len(), dtype=pl.UInt32, eager=True)
            filled_by = numbers.zip_with(cells.is_not_null(), none).forward_fill().gather(last)
            own = (filled_by == numbers.gather(last)).fill_null(False)
            left = cells.forward_fill().gather(last).set(~own, None)
        found.append(left.alias(name))
    return pl.DataFrame(found)


@cache
def _key_for(key: bytes, purpose: str) -> bytes:
    """Return the key for one purpose: the digest of its name."""
    name = pl.DataFrame({"0": [purpose]})
    found = digests_by_columns(name, key) if _digest is None else pl.DataFrame(_digest.digests(name, key, bytes(1)))
    return struct.pack("<QQ", *found.row(0))


def digests_by_columns(texts: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Return the digests of rows of texts under their own key by operations on whole columns."""
    messages = _messages(texts)
    sizes = messages.str.len_bytes().cast(pl.UInt64)
    frame = pl.DataFrame({"message": messages, "size": sizes, "words": sizes // _WORD, "row": _numbers(sizes.len())})
    parts = [_of_equal_length(part, key) for part in frame.partition_by("words")]
    found = pl.concat([*parts, _empty()]).sort("row")
    return found.select("high", "low")


def _messages(texts: pl.DataFrame) -> pl.Series:
    parts = [
        pl.concat_str(pl.col(name).str.len_bytes().cast(pl.String), pl.lit(":"), pl.col(name)).fill_null("-")
        for name in texts.columns
    ]
    return texts.select(pl.concat_str(*parts).alias("message")).to_series()


def _of_equal_length(part: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Digest messages with the same number of whole words; the last word holds what is left of each, and its size."""
    whole = int(part["words"][0])
    # NULs up to the next word, so that all words are whole; the highest byte of the last one is free for the size.
    filled = (part["message"] + "\0" * _WORD).cast(pl.Binary)
    words = [filled.bin.slice(at * _WORD, _WORD).bin.reinterpret(dtype=pl.UInt64) for at in range(whole + 1)]
    words[-1] = words[-1] | (part["size"] % 256 * 2**56)
    first, second = struct.unpack("<QQ", key)
    start = (first ^ _START[0], second ^ _START[1] ^ 0xEE, first ^ _START[2], second ^ _START[3])
    state = [pl.repeat(one, part.height, dtype=pl.UInt64, eager=True) for one in start]
    for word in words:
        state[3] = state[3] ^ word
        _rounds(state, 2)
        state[0] = state[0] ^ word
    state[2] = state[2] ^ 0xEE
    _rounds(state, 4)
    high = state[0] ^ state[1] ^ state[2] ^ state[3]
    state[1] = state[1] ^ 0xDD
    _rounds(state, 4)
    low = state[0] ^ state[1] ^ state[2] ^ state[3]
    return pl.DataFrame({"high": high, "low": low, "row": part["row"]})


def _rounds(v: Words, count: int) -> None:
    for _ in range(count):
        v[0] = v[0] + v[1]
        v[1] = _rotated(v[1], 13) ^ v[0]
        v[0] = _rotated(v[0], 32)
        v[2] = v[2] + v[3]
        v[3] = _rotated(v[3], 16) ^ v[2]
        v[0] = v[0] + v[3]
        v[3] = _rotated(v[3], 21) ^ v[0]
        v[2] = v[2] + v[1]
        v[1] = _rotated(v[1], 17) ^ v[2]
        v[2] = _rotated(v[2], 32)


def _rotated(words: pl.Series, bits: int) -> pl.Series:
    # Sums and products of UInt64 wrap around in polars; there are no shifts.
    found: pl.Series = words * 2**bits | words // 2 ** (64 - bits)
    return found


def _numbers(count: int) -> pl.Series:
    return pl.int_range(count, dtype=pl.UInt64, eager=True)


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={"high": pl.UInt64, "low": pl.UInt64, "row": pl.UInt64})
