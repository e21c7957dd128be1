"""Unpack gzip, zstd, bzip2, xz and zip as a stream (pure)."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator

Blocks = Iterator[bytes]

# The extensions, and the word for each in messages.
KINDS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}

_MOST_PIECE = 1 << 20
# Stored bytes of zstd that are decompressed at a time; the number follows what they give, since that is not bounded.
_LEAST_SLICE, _MOST_SLICE = 64, 1 << 16
# What is left behind a member is copied, so that many small members make many copies: slices keep them short.
_SLICE = 1 << 14


class BrokenArchiveError(Exception):
    """Why an archive cannot be read; `damaged` is false where it is whole, but not one that is read."""

    def __init__(self, why: str, do: str = "copy or export it again", *, damaged: bool = True) -> None:
        super().__init__(why)
        self.why, self.do, self.damaged = why, do, damaged


def unpacked(kind: str, stored: Blocks) -> Blocks:
    """Yield what is packed in the blocks; `kind` is an extension of KINDS. Raises BrokenArchiveError."""
    yield from {
        ".gz": lambda: _streams(stored, _Inflate, zlib.error),
        ".bz2": lambda: _streams(stored, bz2.BZ2Decompressor, (OSError, ValueError)),
        ".xz": lambda: _streams(stored, lzma.LZMADecompressor, lzma.LZMAError),
        ".zst": lambda: _unzst(stored),
        ".zip": lambda: _unzip(stored),
    }[kind]()


def _sliced(stored: Blocks) -> Blocks:
    for block in stored:
        for at in range(0, len(block), _SLICE):
            yield block[at : at + _SLICE]


class _Inflate:
    """Decompress one member of gzip, in the manner of the objects of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, most: int) -> bytes:
        """Return at most so many bytes; what is left of the data comes with the next call, without data."""
        return self._inflate.decompress(data or self._inflate.unconsumed_tail, most)

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data


def _unzst(stored: Blocks) -> Blocks:
    """Decompress zstd, several frames too; long windows up to 2 GiB, as `zstd --long=31` makes them."""
    # Loaded with the first file that needs it.
    import zstandard

    make = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj
    frame, inside, size = make(), False, _LEAST_SLICE
    for block in stored:
        at = 0
        while at < len(block):
            part = block[at : at + size]
            try:
                piece = frame.decompress(part)
            except zstandard.ZstdError as error:
                raise BrokenArchiveError(str(error)) from error
            at += len(part) - len(frame.unused_data)
            inside = not frame.eof
            frame = frame if inside else make()
            size = max(size // 4, _LEAST_SLICE) if len(piece) > _MOST_PIECE else min(size * 2, _MOST_SLICE)
            if piece:
                yield piece
    if inside:
        raise BrokenArchiveError("it breaks off")


def _streams(
    stored: Blocks,
    make: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor | _Inflate],
    errors: type[Exception] | tuple[type[Exception], ...],
) -> Blocks:
    """Decompress one stream (a member) after the other; zeros behind one are padding."""
    unpack, inside, members = make(), False, 0
    for block in _sliced(stored):
        while block:
            if not inside:
                block = block.lstrip(b"\0") if members else block
                if not block:
                    break
                unpack, inside, members = make(), True, members + 1
            try:
                piece = unpack.decompress(block, _MOST_PIECE)
                while piece:
                    yield piece
                    piece = b"" if unpack.eof or unpack.needs_input else unpack.decompress(b"", _MOST_PIECE)
            except errors as error:
                raise BrokenArchiveError(str(error)) from error
            inside = not unpack.eof
            block = b"" if inside else unpack.unused_data
    if inside or not members:
        raise BrokenArchiveError("it breaks off")


_LOCAL, _CENTRAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_END, _END_RECORD, _ZIP64 = b"PK\x05\x06", struct.Struct("<4sHHHHIIH"), 0xFFFFFFFF
# The directory of one file, with its longest name, extra field and comment, is shorter.
_MOST_REST = 1 << 18
_ENCRYPTED, _HAS_DESCRIPTOR = 1, 8
_STORED, _DEFLATED = 0, 8
_EXTRA, _LARGE = struct.Struct("<HH"), 1


def _unzip(stored: Blocks) -> Blocks:
    """Read the one member of a zip archive as it comes, deflated or stored as it is; its checksum is compared."""
    source = _Source(stored)
    header = source.take(_HEADER.size)
    if not header.startswith(_LOCAL):
        raise BrokenArchiveError("it holds no file")
    _, _, flags, method, _, _, crc, size, _, name_length, extra_length = _HEADER.unpack(header)
    name, extra = source.take(name_length), source.take(extra_length)
    if name.endswith(b"/"):
        raise BrokenArchiveError("it begins with a folder", "pack the dump alone", damaged=False)
    is_stored = method == _STORED and not flags & _HAS_DESCRIPTOR
    if flags & _ENCRYPTED or not (is_stored or method == _DEFLATED):
        raise BrokenArchiveError(
            "its member is encrypted, packed in an unusual way, or stored without its size",
            "pack the dump with gzip or zstd",
            damaged=False,
        )
    checked = 0
    for piece in _as_it_is(source, _size(size, extra)) if is_stored else _inflated(source):
        checked = zlib.crc32(piece, checked)
        yield piece
    if flags & _HAS_DESCRIPTOR:
        first = source.take(4)
        (crc,) = struct.unpack("<I", source.take(4) if first == _DESCRIPTOR else first)
        source.skip_to(_CENTRAL, _LOCAL)
    if crc != checked:
        raise BrokenArchiveError("its checksum is another one")
    _check_end(source)


def _size(size: int, extra: bytes) -> int:
    """Return the bytes of a member as they are stored; those of a large one are in the extra field."""
    at = 0
    while size == _ZIP64 and at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        if kind == _LARGE:
            size = int.from_bytes(extra[at + 12 : at + 20], "little")
        at += _EXTRA.size + length
    return size


def _as_it_is(source: _Source, size: int) -> Blocks:
    """Yield the next so many bytes."""
    while size:
        block = source.some()
        piece = block[:size]
        source.put_back(block[size:])
        size -= len(piece)
        yield piece


def _inflated(source: _Source) -> Blocks:
    """Decompress up to the end of the member."""
    inflate = zlib.decompressobj(wbits=-15)
    while not inflate.eof:
        block = inflate.unconsumed_tail or source.some()
        try:
            piece = inflate.decompress(block, _MOST_PIECE)
        except zlib.error as error:
            raise BrokenArchiveError(str(error)) from error
        if piece:
            yield piece
    source.put_back(inflate.unused_data)


def _check_end(source: _Source) -> None:
    """See that the directory of the archive follows, names one file, and is whole."""
    at = source.taken
    if source.take(4) != _CENTRAL:
        raise BrokenArchiveError("it holds several files", "pack each dump alone, or unpack it", damaged=False)
    rest = source.rest()
    end = rest.find(_END)
    if end < 0 or len(rest) - end < _END_RECORD.size:
        raise BrokenArchiveError("it breaks off")
    _, _, _, _, entries, _, offset, comment = _END_RECORD.unpack_from(rest, end)
    whole = len(rest) - end == _END_RECORD.size + comment and offset in (at, _ZIP64)
    if not whole or entries != 1:
        raise BrokenArchiveError("its directory does not fit")


class _Source:
    """Take bytes off the blocks of a file."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._rest = b""
        self._read = 0

    @property
    def taken(self) -> int:
        """Return the bytes that were taken so far."""
        return self._read - len(self._rest)

    def rest(self) -> bytes:
        """Return all that is left."""
        pieces = [self._rest]
        for block in self._blocks:
            pieces.append(block)
            if sum(map(len, pieces)) > _MOST_REST:
                raise BrokenArchiveError("its directory does not fit")
        return b"".join(pieces)

    def some(self) -> bytes:
        """Return the next bytes, whatever their number."""
        found, self._rest = self._rest, b""
        if not found:
            found = next(self._blocks, b"")
            self._read += len(found)
        if not found:
            raise BrokenArchiveError("it breaks off")
        return found

    def take(self, count: int) -> bytes:
        """Return so many bytes."""
        while len(self._rest) < count:
            rest, self._rest = self._rest, b""
            self._rest = rest + self.some()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def put_back(self, data: bytes) -> None:
        """Return bytes that were taken."""
        self._rest = data + self._rest

    def skip_to(self, *marks: bytes) -> None:
        """Pass the sizes of a data descriptor: 8 bytes, or 16 in a large archive."""
        for _ in range(5):
            found = self.take(4)
            self.put_back(found)
            if found in marks:
                return
            self.take(4)
