"""Digests of rows: SipHash-2-4 of 128 bits, the same in C and in polars."""

from __future__ import annotations

import struct
from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stage import digest
from pipeline.stage.digest import digests, digests_by_columns, digests_of_folds, folds

KEY = bytes(range(16))
MASK = 2**64 - 1


def siphash(key: bytes, message: bytes) -> tuple[int, int]:
    """Digest a message as the paper says, one word after another."""
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
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(4)
    high = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return high, v[0] ^ v[1] ^ v[2] ^ v[3]


def test_the_reference_is_right() -> None:
    """The authors' vectors of an empty message and of one of fifteen bytes, under the key 00 … 0f."""
    assert struct.pack("<QQ", *siphash(KEY, b"")).hex() == "a3817f04ba25a8e66df67214c7550293"
    assert struct.pack("<QQ", *siphash(KEY, bytes(range(15)))).hex() == "5493e99933b0a8117e08ec0f97cfc3d9"


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
    found = digests_of_folds(frame, series, filled, KEY, "p")
    assert found.rows() == [siphash(key_for("p"), message(row)) for row in left]


def test_slices_and_chunks_are_read_at_their_place() -> None:
    """A slice of a frame of two chunks digests as its rows do, one by one and as what they leave."""
    frame = pl.concat([pl.DataFrame({"a": ["x", None, "y" * 30]}), pl.DataFrame({"a": ["z", "é" * 20]})], rechunk=False)
    part = frame.slice(1, 3)
    assert digests(part, KEY, "").rows() == [siphash(key_for(""), message((text,))) for text in (None, "y" * 30, "z")]
    numbers = pl.Series([7, 8, 8], dtype=pl.UInt32)
    left = [siphash(key_for(""), message((text,))) for text in (None, "z")]
    assert digests_of_folds(part, numbers, [True], KEY, "").rows() == left


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
    with pytest.raises(ValueError, match="in several chunks"):
        digest._digest.digests(pl.concat([number.to_struct(), number.to_struct()], rechunk=False), KEY, bytes(1))


def test_it_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the module was not built, polars takes its place."""
    frame, numbers = pl.DataFrame({"a": ["x", None, "y"]}), pl.Series([0, 0, 1], dtype=pl.UInt32)
    with_module = digests(frame, KEY, "p"), digests_of_folds(frame, numbers, [True], KEY, "p")
    monkeypatch.setattr(digest, "_digest", None)
    digest._key_for.cache_clear()
    assert digests(frame, KEY, "p").equals(with_module[0])
    assert digests_of_folds(frame, numbers, [True], KEY, "p").equals(with_module[1])
