"""Digests of rows: SipHash-1-3 of 128 bits, the same in C and in polars."""

from __future__ import annotations

import struct
from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stage import digest
from pipeline.stage.digest import Unit, digests, digests_by_columns, digests_of_units, folds
from pipeline.validate.keys import maybe_same

KEY = bytes(range(16))
MASK = 2**64 - 1


def siphash(key: bytes, message: bytes, each: int = 1, last: int = 3) -> tuple[int, int]:
    """Digest a message as the paper says, one word after another: `each` rounds per word, `last` at the end."""
    first, second = struct.unpack("<QQ", key)
    v = [first ^ 0x736F6D6570736575, second ^ 0x646F72616E646F6D ^ 0xEE]
    v += [first ^ 0x6C7967656E657261, second ^ 0x7465646279746573]

    def turned(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & MASK

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turned(v[1], 13) ^ v[0]
            v[0] = turned(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turned(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turned(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turned(v[1], 17) ^ v[2]
            v[2] = turned(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(each)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(last)
    high = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(last)
    return high, v[0] ^ v[1] ^ v[2] ^ v[3]


def test_the_reference_is_right() -> None:
    """The authors' vectors, for two rounds and four: an empty message and one of fifteen bytes, under the key 00 … 0f."""
    assert struct.pack("<QQ", *siphash(KEY, b"", 2, 4)).hex() == "a3817f04ba25a8e66df67214c7550293"
    assert struct.pack("<QQ", *siphash(KEY, bytes(range(15)), 2, 4)).hex() == "5493e99933b0a8117e08ec0f97cfc3d9"


def message(row: tuple[str | None, ...]) -> bytes:
    return b"".join(b"-" if text is None else f"{len(text.encode())}:".encode() + text.encode() for text in row)


def key_for(purpose: str, key: bytes = KEY) -> bytes:
    return struct.pack("<QQ", *siphash(key, message((purpose,))))


cell = st.none() | st.text(st.characters(codec="utf-8"), max_size=40)
rows = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[cell] * width), max_size=8))


def frame_of(rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    width = len(rows[0]) if rows else 1
    return pl.DataFrame(rows, schema={f"c{at}": pl.String for at in range(width)}, orient="row")


@given(rows=rows, purpose=st.text(st.characters(codec="ascii"), max_size=5), key=st.binary(min_size=16, max_size=16))
def test_c_and_polars_do_the_same_arithmetic(rows: list[tuple[str | None, ...]], purpose: str, key: bytes) -> None:
    """Any texts: of no length, beyond the views of Arrow, beyond ASCII; null is another value than an empty text."""
    frame = frame_of(rows)
    expected = [siphash(key_for(purpose, key), message(row)) for row in rows]
    assert digests(frame, key, purpose).rows() == expected
    assert digests_by_columns(frame, key_for(purpose, key)).rows() == expected


def unit_of(frame: pl.DataFrame, filled: list[bool]) -> Unit:
    return Unit("", ("c0",), tuple(frame.columns), tuple(filled))


@given(rows=rows, data=st.data())
def test_rows_with_one_number_are_digested_as_what_they_leave(rows: list[tuple[str | None, ...]], data) -> None:
    """Data rule 42: per column the last value, or where empty cells leave what is there the last that is not empty."""
    frame = frame_of(rows)
    numbers = list(accumulate(data.draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows)))))
    filled = data.draw(st.lists(st.booleans(), min_size=frame.width, max_size=frame.width))
    left = []
    for number in sorted({*numbers}):
        columns = zip(*(row for row, of in zip(rows, numbers, strict=True) if of == number), strict=True)
        kept = [
            [text for text in column if text is not None or not keeps]
            for column, keeps in zip(columns, filled, strict=True)
        ]
        left.append(tuple(column[-1] if column else None for column in kept))
    series = pl.Series(numbers, dtype=pl.UInt32)
    assert folds(frame, series, filled).rows() == left
    found = digests_of_units(frame, unit_of(frame, filled), KEY, series)
    assert found.select("high", "low").rows() == [siphash(key_for("profile"), message(row)) for row in left]


keys = st.lists(
    st.tuples(st.sampled_from(["K", "k", "é", "E\u0301", "e", "Straße", "x" * 20, "X" * 20, ""])), max_size=8
)


@given(rows=keys, numbered=st.booleans(), data=st.data())
def test_keys_are_digested_as_they_are_compared_and_as_they_are_spelled(rows, numbered: bool, data) -> None:
    """Data rule 15: maybe the same is one digest; which of several spellings it was is kept, by the last row."""
    frame = frame_of(rows)
    numbers = list(accumulate(data.draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows)))))
    groups = [[row for row, of in zip(rows, numbers, strict=True) if of == number] for number in sorted({*numbers})]
    groups = groups if numbered else [[row] for row in rows]
    series = pl.Series(numbers, dtype=pl.UInt32) if numbered else None
    expected = []
    for group in groups:
        (text,), key = group[-1], key_for("key ['c0']")
        spelling = siphash(key, message((text,)))[1] % 2**32
        expected.append((*siphash(key, message((maybe_same(text),))), spelling, len({*group}) > 1))
    found = digests_of_units(frame, unit_of(frame, [False]), KEY, series)
    assert found.select("key_high", "key_low", "spelling", "several").rows() == expected


def test_slices_and_chunks_are_read_at_their_place() -> None:
    """A slice of a frame of two chunks digests as its rows do, one by one and as what they leave."""
    frame = pl.concat([pl.DataFrame({"a": ["x", None, "y" * 30]}), pl.DataFrame({"a": ["z", "é" * 20]})], rechunk=False)
    part = frame.slice(1, 3)
    assert digests(part, KEY, "").rows() == [siphash(key_for(""), message((text,))) for text in (None, "y" * 30, "z")]
    numbers = pl.Series([7, 8, 8], dtype=pl.UInt32)
    left = [siphash(key_for("profile"), message((text,))) for text in (None, "z")]
    unit = Unit("", ("a",), ("a",), (True,))
    assert digests_of_units(part, unit, KEY, numbers).select("high", "low").rows() == left


@pytest.mark.skipif(digest._digest is None, reason="built without a compiler")
def test_wrong_columns_and_keys_are_refused() -> None:
    """The module reads memory that others own: it looks before."""
    text, number = (
        pl.DataFrame({"a": ["x"]}),
        pl.DataFrame({"n": [1, 1], "a": ["x", "y"]}, schema_overrides={"n": pl.UInt32}),
    )
    with pytest.raises(TypeError, match="column 0 is no text"):
        digest._digest.digests(pl.DataFrame({"a": [1]}), KEY, bytes(1))
    with pytest.raises(TypeError, match="column 1 is no text"):
        digest._digest.digests(number.select("n", b="n"), KEY, bytes(1))
    with pytest.raises(ValueError, match="16 bytes"):
        digest._digest.digests(text, KEY[:-1], bytes(1))
    with pytest.raises(ValueError, match="a byte per text column"):
        digest._digest.digests(number, KEY, bytes(2))
    with pytest.raises(ValueError, match="a byte per text column"):
        digest._digest.digests(text, KEY, b"", 2, KEY)
    with pytest.raises(ValueError, match="16 bytes"):
        digest._digest.digests(text, KEY, b"", 1)
    with pytest.raises(ValueError, match="in several chunks"):
        digest._digest.digests(pl.concat([number.to_struct(), number.to_struct()], rechunk=False), KEY, bytes(1))


def test_it_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the module was not built, polars takes its place."""
    frame = pl.DataFrame({"k": ["K", "k", "é", "É", "x" * 20], "a": ["x", None, "y", None, "z"]})
    numbers, unit = pl.Series([0, 0, 1, 2, 2], dtype=pl.UInt32), Unit("Order", ("k",), ("a",), (True,))

    def made() -> list[pl.DataFrame]:
        digest._key_for.cache_clear()
        return [digests(frame, KEY, "p"), *(digests_of_units(frame, unit, KEY, one) for one in (None, numbers))]

    with_module = made()
    monkeypatch.setattr(digest, "_digest", None)
    for one, other in zip(made(), with_module, strict=True):
        assert one.select(other.columns).equals(other)
