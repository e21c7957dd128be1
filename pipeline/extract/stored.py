"""Read the stored bytes of one file: digest, decompression, changes meanwhile (edge: the file system)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from pipeline.errors import Problem
from pipeline.extract.archives import KINDS, BrokenArchiveError, unpacked
from pipeline.extract.files import archive_of
from pipeline.extract.refusal import Refused
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
        try:
            self._handle: BinaryIO = file.path.open("rb", buffering=0)
        except OSError as error:
            raise Refused(Problem(f"cannot be read: {error.strerror}", file.name)) from error

    def blocks(self) -> Iterator[bytes]:
        """Give the bytes, decompressed; Refused for an archive that is broken and for data that is no text at all."""
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
        now = os.fstat(self._handle.fileno())
        self._handle.close()
        file = self.file
        try:
            named = file.path.stat()
        except OSError:
            named = None
        before = (file.size_bytes, file.mtime_ns)
        if (
            named is None
            or named.st_ino != now.st_ino
            or before != (now.st_size, now.st_mtime_ns)
            or self.bytes_read != now.st_size
        ):
            raise Refused(Problem("changed while it was read", file.name, "run again when the export has ended"))
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
        except OSError as error:
            raise Refused(Problem(f"reading failed: {error.strerror}", self.file.name)) from error

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
