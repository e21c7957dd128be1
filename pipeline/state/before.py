"""Keep frames of a run that hold what was there before it, private and proved by digests (edge: the run's folder).

A new file each, named after its content: what was kept once is never written over, and a torn file is noticed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.state.files import sync, write_whole

FOLDER = "before"
FORMAT = 1
_META = "meta.json"
_DIGEST_BYTES = 12


class BeforeError(Exception):
    """What was kept of before a run is missing, torn or of another version; the message says which."""


class Before:
    """The frames of one run, by name; `finish` says that all that was read before the first request is there."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER

    @property
    def kept(self) -> bool:
        """Return whether the run has kept anything, whole or not."""
        return self.folder.is_dir()

    @property
    def whole(self) -> bool:
        """Return whether reading was finished."""
        return (self.folder / _META).is_file()

    def start_over(self) -> None:
        """Remove what an earlier process has kept without finishing."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        sync(self.folder.parent)

    def put(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a frame, on disk when this returns; the same one again changes nothing, another one stands beside."""
        content = BytesIO()
        frame.write_ipc_stream(content, compression="lz4")
        path = self.folder / f"{name}-{_digest(content.getvalue())}.arrow"
        if not path.exists():
            write_whole(path, content.getvalue())

    def finish(self, meta: Mapping[str, Any]) -> None:
        """Record that all that was read is kept, with what is needed to read it again."""
        write_whole(self.folder / _META, json.dumps({"format": FORMAT, **meta}).encode())

    def meta(self) -> Mapping[str, Any]:
        """Return what `finish` was called with; raises BeforeError."""
        try:
            found = json.loads((self.folder / _META).read_bytes())
            if found.pop("format") != FORMAT:
                raise BeforeError("they were kept by another version")
        except FileNotFoundError:
            raise BeforeError("they were not kept whole") from None
        except (ValueError, KeyError, AttributeError, OSError):
            raise BeforeError("they are torn") from None
        return dict(found)

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """Read the frames of a name back; raises BeforeError for a torn one."""
        for path in sorted(self.folder.glob(f"{name}-*.arrow")):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise BeforeError(f"{path.name} cannot be read ({error.strerror})") from None
            if _digest(content) != path.stem.rpartition("-")[2]:
                raise BeforeError(f"{path.name} is torn")
            yield pl.read_ipc_stream(BytesIO(content))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
