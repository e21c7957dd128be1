"""Digest rows of texts: 128 bits that are the same on every machine and in every version (pure).

SipHash-1-3 with an output of 128 bits, under a key. The C module does it where it was built; without a compiler the same
arithmetic runs over whole columns in polars, some ten times slower.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import polars as pl

from pipeline.validate.keys import fold

try:
    from pipeline.stage import _digest
except ImportError:  # built without a compiler
    _digest = None  # type: ignore[assignment]

# Names what makes a digest: another name means that all digests are others. How keys are folded depends on Unicode.
ALGORITHM = f"siphash-1-3-128, rows 3, unicode {unicodedata.unidata_version}"

_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_WORD = 8
_NOT_ASCII, _SEVERAL = 1, 2

Words = list[pl.Series]


@dataclass(frozen=True)
class Unit:
    """What is digested of the units of one level (profile "", or a collection), and per column whether null fills.

    `filled` is for rows with one number: a null leaves what was there before.
    """

    level: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    filled: tuple[bool, ...]

    @property
    def purpose(self) -> str:
        """Return what tells the digests of its columns apart from others of equal texts."""
        return "subprofile" if self.level else "profile"

    @property
    def of_keys(self) -> Unit:
        """Return the same of a frame that has the keys only."""
        return replace(self, columns=self.keys, filled=(False,) * len(self.keys))


def digests(texts: pl.DataFrame, key: bytes, purpose: str) -> pl.DataFrame:
    """Return `high` and `low` (UInt64) of each row of a frame of text columns, in its order.

    `purpose` tells apart what else has equal texts; `key` has 16 bytes. Null and "" are two values.
    """
    own_key = _key_for(key, purpose)
    if _digest is None:
        return digests_by_columns(texts, own_key)
    return pl.DataFrame(_digest.digests(_numbered(texts), own_key, bytes(texts.width)))


def digests_of_keys(keys: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Return `key_high` and `key_low` (UInt64) of each key under "maybe the same", and its `spelling` (UInt32)."""
    unit = Unit("", tuple(keys.columns), (), ()).of_keys
    return digests_of_units(keys, unit, key).select("key_high", "key_low", "spelling")


def digests_of_units(rows: pl.DataFrame, unit: Unit, key: bytes, numbers: pl.Series | None = None) -> pl.DataFrame:
    """Return the digests of each row, or of what rows in succession with one number (UInt32) leave, in their order.

    `key_high` and `key_low` (UInt64) are of the key under "maybe the same" (data rule 15), `spelling` (UInt32) of the key as
    it is spelled, by the last row; `several` has whether rows with one number spell it in several ways. `high` and `low` are
    of the columns: of each the text of the last row, or where `filled` the last one that is not null.
    """
    if _digest is None:
        return _by_columns(rows, unit, key, numbers)
    texts = [rows[name] for name in (*unit.keys, *unit.columns)]
    frame = _numbered(pl.DataFrame([text.alias(str(at)) for at, text in enumerate(texts)]), numbers)
    keys = _key_for(key, f"key {list(unit.keys)}")
    found = pl.DataFrame(_digest.digests(frame, _key_for(key, unit.purpose), bytes(unit.filled), len(unit.keys), keys))
    marks = found.drop_in_place("marks")
    found.insert_column(5, (marks >= _SEVERAL).alias("several"))
    other = (marks & _NOT_ASCII).cast(pl.Boolean)
    if not other.any():
        return found
    at = other.arg_true()
    own = _folded(rows[at if numbers is None else _last(numbers).gather(at)], unit, key)
    return found.with_columns(found[f"key_{one}"].scatter(at, own[one]) for one in ("high", "low"))


def _by_columns(rows: pl.DataFrame, unit: Unit, key: bytes, numbers: pl.Series | None) -> pl.DataFrame:
    """Do the same by operations on whole columns."""
    last = rows if numbers is None else rows[_last(numbers)]
    left = rows.select(unit.columns) if numbers is None else folds(rows.select(unit.columns), numbers, unit.filled)
    spelling = digests(last.select(unit.keys), key, f"key {list(unit.keys)}")["low"] % 2**32
    several = pl.repeat(False, last.height, dtype=pl.Boolean, eager=True)
    if numbers is not None:
        changes = [pl.col(name).ne_missing(pl.col(name).shift()) & (numbers == numbers.shift()) for name in unit.keys]
        mixed = numbers.filter(rows.select(pl.any_horizontal(changes).fill_null(False)).to_series())
        several = numbers.gather(_last(numbers)).is_in(mixed.implode())
    ours = [spelling.cast(pl.UInt32).alias("spelling"), several.alias("several")]
    folded = _folded(last, unit, key).select(pl.all().name.prefix("key_"))
    return pl.concat([folded, digests(left, key, unit.purpose), pl.DataFrame(ours)], how="horizontal")


def _folded(rows: pl.DataFrame, unit: Unit, key: bytes) -> pl.DataFrame:
    """Return the digests of keys as they are compared; no key is a number with decimals, or has outer blanks."""
    folded = [fold(rows[name], trimmed=True).alias(name) for name in unit.keys]
    return digests(pl.DataFrame(folded), key, f"key {list(unit.keys)}")


def _last(numbers: pl.Series) -> pl.Series:
    """Return where the rows with one number end."""
    return (numbers != numbers.shift(-1)).fill_null(True).arg_true()


def _numbered(texts: pl.DataFrame, numbers: pl.Series | None = None) -> pl.DataFrame:
    """Return text columns as C takes them, in one chunk; numbers stand first."""
    first = [] if numbers is None else [numbers.alias("number")]
    return pl.DataFrame([*first, *(text.alias(str(at)) for at, text in enumerate(texts))]).rechunk()


def folds(texts: pl.DataFrame, numbers: pl.Series, filled: Sequence[bool]) -> pl.DataFrame:
    """Return what rows in succession with one number leave, by operations on whole columns."""
    last = _last(numbers)
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
        _rounds(state, 1)
        state[0] = state[0] ^ word
    state[2] = state[2] ^ 0xEE
    _rounds(state, 3)
    high = state[0] ^ state[1] ^ state[2] ^ state[3]
    state[1] = state[1] ^ 0xDD
    _rounds(state, 3)
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
