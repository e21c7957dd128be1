"""Digests of rows: SipHash-2-4 of 128 bits, the same in C and in polars."""

from __future__ import annotations

import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stage import digest
from pipeline.stage.digest import digests, digests_by_columns

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


def message(prefix: str, row: tuple[str | None, ...]) -> bytes:
    return prefix.encode() + b"".join(
        b"-" if text is None else f"{len(text.encode())}:".encode() + text.encode() for text in row
    )


cell = st.none() | st.text(st.characters(codec="utf-8"), max_size=40)
rows = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[cell] * width), max_size=8))


@given(rows=rows, prefix=st.text(st.characters(codec="ascii"), max_size=5), key=st.binary(min_size=16, max_size=16))
def test_c_and_polars_do_the_same_arithmetic(rows: list[tuple[str | None, ...]], prefix: str, key: bytes) -> None:
    """Any texts: of no length, beyond the views of Arrow, beyond ASCII; null is another value than an empty text."""
    width = len(rows[0]) if rows else 1
    frame = pl.DataFrame(rows, schema={f"c{at}": pl.String for at in range(width)}, orient="row")
    expected = [siphash(key, message(prefix, row)) for row in rows]
    assert digests(frame, key, prefix).rows() == expected
    assert digests_by_columns(frame, key, prefix).rows() == expected


def test_slices_and_chunks_are_read_at_their_place() -> None:
    """A slice of a frame of two chunks digests as its rows do."""
    frame = pl.concat([pl.DataFrame({"a": ["x", None, "y" * 30]}), pl.DataFrame({"a": ["z", "é" * 20]})], rechunk=False)
    assert digests(frame.slice(1, 3), KEY, "").rows() == [
        siphash(KEY, message("", (text,))) for text in (None, "y" * 30, "z")
    ]


@pytest.mark.skipif(digest._digest is None, reason="built without a compiler")
def test_wrong_columns_and_keys_are_refused() -> None:
    """The module reads memory that others own: it looks before."""
    with pytest.raises(TypeError, match="column 0 is no text"):
        digests(pl.DataFrame({"a": [1]}), KEY, "")
    with pytest.raises(ValueError, match="16 bytes"):
        digests(pl.DataFrame({"a": ["x"]}), KEY[:-1], "")


def test_it_works_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the module was not built, polars takes its place."""
    frame = pl.DataFrame({"a": ["x", "y"]})
    with_module = digests(frame, KEY, "p")
    monkeypatch.setattr(digest, "_digest", None)
    assert digests(frame, KEY, "p").equals(with_module)
