"""Keep a frame in a file with a check sum, written whole or not at all (edge)."""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from pipeline.state.files import part_of, sync
from pipeline.state.host import open_shared

_SUM = struct.Struct("<I")


class StateFault(Exception):  # noqa: N818 - handled inside the state: everything is sent
    """A file of the state is missing, torn, of another version or of another account."""


class _Summed:
    """A file that is written to, with the check sum (CRC-32) of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sum = file, 0

    def write(self, content: bytes) -> int:
        """Write some bytes."""
        self.sum = zlib.crc32(content, self.sum)
        return self._file.write(content)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._file.flush()


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame with its check sum behind it, whole or not at all; raises OSError."""

    def content(file: BinaryIO) -> None:
        summed = _Summed(file)
        frame.write_ipc_stream(cast("BinaryIO", summed), compression="uncompressed")
        file.write(_SUM.pack(summed.sum))

    _write(path, content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all; raises OSError."""
    _write(path, lambda file: file.write(content))


def _write(path: Path, content: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place, put it on disk and rename it; raises OSError, and then what stood there stays."""
    with os.fdopen(open_shared(part_of(path)), "wb") as file:
        file.truncate()
        content(file)
        file.flush()
        os.fsync(file.fileno())
    part_of(path).replace(path)
    sync(path.parent)


def read_frame(path: Path, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Read a file that `write_frame` wrote; raises StateFault for anything else."""
    try:
        whole = _is_whole(path)
    except OSError as error:
        raise StateFault(f"{path.name} cannot be read ({error.strerror})") from None
    if not whole:
        raise StateFault(f"{path.name} is torn")
    found = pl.read_ipc_stream(path)
    if dict(found.schema) != dict(schema):
        raise StateFault(f"{path.name} has other columns")
    return found


def _is_whole(path: Path) -> bool:
    """Return whether a file ends with the check sum of what stands before it."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size - _SUM.size
        if size <= 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content, memoryview(content) as view:
            return _SUM.pack(zlib.crc32(view[:size])) == view[size:]
