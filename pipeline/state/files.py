"""Write a private file whole or not at all (edge)."""

from __future__ import annotations

import os
from pathlib import Path
from threading import get_ident
from typing import BinaryIO


def part_of(path: Path) -> Path:
    """Return the path beside `path` where a file is written until it is whole."""
    return path.with_name(path.name + ".part")


def open_private(path: Path) -> BinaryIO:
    """Open an empty file to write to, readable by its owner alone, also where one of another mode was left behind."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(number, 0o600)
    return os.fdopen(number, "wb")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, sync it and rename it; raises OSError, and then what stood there stays.

    Jobs share a state folder: each writer has a part of its own, or one would rename that of another.
    """
    part = part_of(path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}"))
    try:
        with open_private(part) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Put a file, or the names in a folder, on disk; raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_tree(folder: Path) -> None:
    """Put all files of a folder, and the names in it and below it, on disk."""
    for at, _folders, files in os.walk(folder):
        for name in files:
            sync(Path(at, name))
        sync(Path(at))
