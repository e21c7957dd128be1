"""Damage bytes at random, and make bytes that are nothing in particular."""

from __future__ import annotations

import codecs
import gzip
from random import Random

import zstandard

# What parsers stumble over, in one place or another.
PIECES = (
    b"\0", b"\r", b"\n", b"\r\n", b"\n\n", b'"', b'""', b"'", b",", b";", b"\t", b"|", b":", b" ", b"\xff", b"\xc3",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xc2\xa0", b"\xe2\x80\xa8", b"\x85", b"\x1a", b"\x0b",
    b"\x0c",
    b"{", b"}", b"[", b"]", b"{}", b"[]", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e999", b"1.10", b"0" * 400,
    b"9" * 30,
    b"\\", b"\\u0000", b"\\ud83d", b"\\ude00", b"\\u00e9", b'\\"', b"\\n", b'"a":', b'"a":"1"', b'{"a":"1"}', b"[[[[",
    b'{"a":{"a":',
    b"_raw", b"_line", b"=cmd()", b"../", b"%00", b"2024-02-30", b"10-02-03", b"0000-00-00", b"9999-12-31 23:59:60",
)  # fmt: skip

ENCODINGS = (
    "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "ascii",
    "cp037", "shift_jis", "gb18030", "euc_kr", "iso2022_jp", "utf-7", "cp65001",
)  # fmt: skip


def soup(random: Random) -> bytes:
    """Return any bytes at all."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(random.choice((1, 2, 3, 50, 3000)))
    if kind == 1:
        return b"".join(random.choices(PIECES, k=random.choice((1, 3, 30, 300))))
    if kind == 2:
        return random.choice(PIECES) * random.choice((1, 1000, 60_000))
    head = random.choice((b"a,b\n", b"a,b,c,d\n", b"[", b"[\n", b'{"a":"1","b":"2"}\n'))
    return head + b"".join(random.choices((*PIECES, b"a", b"1"), k=random.choice((5, 100))))


def damaged(random: Random, data: bytes, most: int = 6) -> bytes:
    """Change some places: bytes flipped, pieces put in, taken out, doubled, moved, or the end cut off."""
    for _ in range(random.randint(0, most)):
        at = random.randrange(len(data) + 1)
        to = min(len(data), at + random.choice((1, 1, 2, 10, 200)))
        kind = random.randrange(8)
        if kind <= 2:
            data = data[:at] + random.choice(PIECES) + data[at:]
        elif kind == 3:
            data = data[:at] + data[to:]
        elif kind == 4:
            data = data[:to] + data[at:to] + data[to:]
        elif kind == 5:
            data = data[:at] + random.randbytes(to - at) + data[to:]
        elif kind == 6:
            data = data[:at] + random.choice(PIECES) + data[to:]
        elif random.random() < 0.3:
            data = data[:at]
    return data


def packed(random: Random, data: bytes) -> tuple[bytes, str]:
    """Compress bytes, then perhaps damage or cut the archive; gives the extension, too."""
    suffix = random.choice((".gz", ".zst"))
    parts = [data] if random.random() < 0.6 else [data[: len(data) // 2], data[len(data) // 2 :]]
    make = gzip.compress if suffix == ".gz" else zstandard.ZstdCompressor().compress
    archive = b"".join(make(part) for part in parts)
    kind = random.randrange(5)
    if kind == 0:
        archive = archive[: random.randrange(len(archive))]
    elif kind == 1:
        archive = damaged(random, archive, 2)
    elif kind == 2:
        archive += random.choice((b"\0" * 40, b"x", archive[:9], b"\x1f\x8b", random.randbytes(30)))
    return archive, suffix


def encoded(random: Random, data: bytes) -> tuple[bytes, str]:
    """Write UTF-8 in some encoding and name it, sometimes wrongly."""
    said = random.choice(ENCODINGS)
    used = said if random.random() < 0.8 else random.choice(ENCODINGS)
    try:
        codecs.lookup(used)
        return data.decode("utf-8", "replace").encode(used, "replace"), said
    except (LookupError, UnicodeError):
        return data, said
