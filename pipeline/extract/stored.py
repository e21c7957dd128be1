"""Read the stored bytes of one file: digest, decompression, changes meanwhile (edge: the file system)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import BinaryIO

from pipeline.errors import InputError, Problem
from pipeline.extract.archives import KINDS, BrokenArchiveError, unpacked
from pipeline.extract.files import archive_of
from pipeline.extract.reading import Piece
from pipeline.extract.refusal import Refused
from pipeline.extract.remote import RemoteError, RemoteHandle, is_url
from pipeline.model.files import SourceFile

BLOCK_BYTES = 1 << 20

# How files begin that are not text; what they are and what to do with them.
_NOT_TEXT = (
    (b"PK\x03\x04", "a zip archive or a workbook", "name an archive of one file .zip, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old office document", "save the sheet as CSV"),
    (b"\x1f\x8b", "gzip data", "name the file .gz"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "name the file .zst"),
    (b"BZh", "bzip2 data", "name the file .bz2"),
    (b"\xfd7zXZ\x00", "xz data", "name the file .xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it"),
    (b"PAR1", "a parquet file", "export it as CSV or NDJSON"),
    (b"SQLite format 3\x00", "an SQLite database", "export it as CSV or NDJSON"),
    (b"%PDF-", "a PDF", "export the data as CSV"),
    (b"\x89PNG", "an image", "see whether this is the right file"),
    (b"\xff\xd8\xff", "an image", "see whether this is the right file"),
    (b"GIF8", "an image", "see whether this is the right file"),
    (b"II*\0", "an image", "see whether this is the right file"),
    (b"MM\0*", "an image", "see whether this is the right file"),
)


class _Local:
    """A file of this machine that is open."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        try:
            self._handle: BinaryIO = file.path.open("rb", buffering=0)
        except OSError as error:
            raise _refused("cannot be read", file, error) from error

    def read(self, count: int) -> bytes:
        return self._handle.read(count)

    def seek(self, offset: int) -> None:
        self._handle.seek(offset)

    def unchanged(self, bytes_read: int) -> bool:
        """Return whether the file is the one that was found, as it was then, and was read to its end."""
        file, now = self._file, os.fstat(self._handle.fileno())
        try:
            named = file.path.stat()
        except OSError:
            return False
        same = named.st_ino == now.st_ino and (file.size_bytes, file.mtime_ns) == (now.st_size, now.st_mtime_ns)
        return same and bytes_read == now.st_size

    def close(self) -> None:
        self._handle.close()


def _refused(what: str, file: SourceFile, error: OSError | RemoteError) -> Refused:
    reason = error.strerror if isinstance(error, OSError) else error
    return Refused(Problem(f"{what}: {reason}", file.name))


def opened(file: SourceFile) -> _Local | RemoteHandle:
    """Open a dump; Refused where it cannot be read."""
    try:
        return RemoteHandle(file) if is_url(file.name) else _Local(file)
    except RemoteError as error:
        raise _refused("cannot be read", file, error) from error


def digest_of(file: SourceFile) -> str:
    """Return the SHA-256 of the stored bytes of a dump; raises InputError where it cannot be read."""
    try:
        stored = StoredFile(file)
        with closing(stored):
            stored.finish()
    except Refused as refused:
        raise InputError(*refused.problems) from None
    return stored.digest


class StoredPiece:
    """The head and one piece of a plain file of this machine while they are read; `before` takes the place of no head."""

    digest = content_digest = ""

    def __init__(self, file: SourceFile, piece: Piece, before: bytes = b"", block_bytes: int = BLOCK_BYTES) -> None:
        self.file, self.bytes_read = file, 0
        self._piece, self._before, self._block_bytes = piece, before, block_bytes
        self._handle = _Local(file)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes; Refused where they cannot be read."""
        start = self._piece.start.offset
        try:
            if self._before:
                yield self._before
            for at, end in ((0, min(self._piece.head.offset, start)), (start, self._piece.end.offset)):
                self._handle.seek(at)
                while at < end and (block := self._handle.read(min(self._block_bytes, end - at))):
                    at += len(block)
                    self.bytes_read += len(block)
                    yield block
        except OSError as error:
            raise _refused("reading failed", self.file, error) from error

    def finish(self) -> None:
        """Close the file; Refused where it changed since it was found."""
        unchanged = self._handle.unchanged(self.file.size_bytes)
        self._handle.close()
        if not unchanged:
            raise Refused(_changed(self.file))

    def close(self) -> None:
        """Close the file of a reading that was given up."""
        self._handle.close()


def _changed(file: SourceFile) -> Problem:
    return Problem("changed while it was read", file.name, "run again when the export has ended")


class StoredFile:
    """One file while it is read: `bytes_read` of its stored bytes so far.

    After `finish` the digest of the stored bytes is known, and `content_digest`, that of what is packed in them.
    """

    def __init__(self, file: SourceFile, block_bytes: int = BLOCK_BYTES) -> None:
        self.file = file
        self.bytes_read = 0
        self.digest = self.content_digest = ""
        self._sha256 = hashlib.sha256()
        self._content_sha256 = hashlib.sha256() if archive_of(file.name) else self._sha256
        self._unpacked: Iterator[bytes] = iter(())
        self._block_bytes = block_bytes
        self._handle = opened(file)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes, decompressed; raises Refused for an archive that is broken and for data that is no text at all."""
        archive = archive_of(self.file.name)
        stored = self._stored()
        self._unpacked = self._unpack(archive, stored) if archive else stored
        head = b""
        for block in self._unpacked:
            if archive:
                self._content_sha256.update(block)
            if len(head) < 16:
                head += block[:16]
                self._refuse_not_text(head)
            yield block

    def finish(self) -> None:
        """Read what is left, close the file and give its digests; Refused where it changed since it was found."""
        if self._content_sha256 is not self._sha256:
            with suppress(Refused):  # what comes behind the rows that were asked for may be broken
                for block in self._unpacked:
                    self._content_sha256.update(block)
        for _ in self._stored():
            pass
        try:
            unchanged = self._handle.unchanged(self.bytes_read)
        except RemoteError as error:
            raise _refused("reading failed", self.file, error) from error
        self._handle.close()
        if not unchanged:
            raise Refused(_changed(self.file))
        self.digest = self._sha256.hexdigest()
        self.content_digest = self._content_sha256.hexdigest()

    def close(self) -> None:
        """Close the file of a reading that was given up."""
        self._handle.close()

    def _stored(self) -> Iterator[bytes]:
        try:
            while block := self._handle.read(self._block_bytes):
                self._sha256.update(block)
                self.bytes_read += len(block)
                yield block
        except (OSError, RemoteError) as error:
            raise _refused("reading failed", self.file, error) from error

    def _unpack(self, kind: str, stored: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from unpacked(kind, stored)
        except BrokenArchiveError as error:
            what = f"the {KINDS[kind]} archive is broken after about {self.bytes_read:,} stored bytes: {error.why}"
            what = what if error.damaged else f"the {KINDS[kind]} archive cannot be read: {error.why}"
            raise Refused(Problem(what, self.file.name, error.do)) from error

    def _refuse_not_text(self, head: bytes) -> None:
        for begin, what, do in _NOT_TEXT:
            if head.startswith(begin):
                raise Refused(Problem(f"is {what}", self.file.name, do))
