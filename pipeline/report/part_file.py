"""Write a private file beside its place and rename it when it is whole (edge)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import Problem, UsageError
from pipeline.model.files import SourceFile
from pipeline.state.files import open_private, part_of


class PartFile:
    """A file that appears at `path` only by `finish`; until then it grows as `NAME.part`, readable by its owner alone.

    Raises UsageError when made for a place that cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = part_of(path)
        self._file: BinaryIO | None = None
        if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            what = "this is a folder" if path.is_dir() else "the folder is missing or cannot be written"
            raise UsageError(Problem(what, str(path), "name a file in a folder that exists"))

    @property
    def file(self) -> BinaryIO:
        """Return the open file, made empty at the first use."""
        if self._file is None:
            self._file = open_private(self._part)
        return self._file

    def set_aside(self) -> Path:
        """Close what is written so far under another name and begin anew; the caller removes it."""
        self.file.close()
        self._file = None
        old = self._part.with_name(self._part.name + ".old")
        self._part.replace(old)
        return old

    def finish(self) -> Path | None:
        """Put the file in its place and return its path; where nothing was written remove what stands there."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return None
        self._file.close()
        self._part.replace(self.path)
        return self.path

    def end(self, *, whole: bool) -> None:
        """Put the file in its place where it is whole, else remove what was written."""
        if whole:
            self.finish()
        else:
            self.discard()

    def discard(self) -> None:
        """Remove what was written; what stands at `path` stays as it was."""
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)


def spare(path: Path, dumps: Iterable[SourceFile]) -> None:
    """Raise UsageError where the file to be written is a dump of the run."""
    for dump in dumps:
        if path.parent.resolve() / path.name == dump.path.parent.resolve() / dump.path.name:
            raise UsageError(Problem("this would overwrite a dump of the run", str(path), "name another file"))
