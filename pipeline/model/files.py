"""Name a dump file of a run and what was found in it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SourceFile:
    """A dump file of the run: `path` to open, `name` as the operator wrote it (for messages), its size and mtime."""

    path: Path
    name: str
    index: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class FileFacts:
    """What was found in one file: the digest of its stored bytes and the counts of data rule 2.

    `lines` is the physical lines of the decompressed file; for CSV and NDJSON it equals `record_lines + blank_lines +
    header_lines + skipped_lines`. `elements` counts objects (CSV: records), `records` the rows after lists are laid out,
    `good` those of them that validation accepted, later collapsed ones included. `content_sha256` is the digest of what is
    packed in the file: packing it again, or otherwise, does not change it.
    """

    file: SourceFile
    sha256: str
    lines: int
    record_lines: int
    blank_lines: int
    header_lines: int
    skipped_lines: int
    elements: int
    records: int
    good: int = 0
    content_sha256: str = ""


@dataclass(frozen=True)
class EarlierFile:
    """A file of an earlier run: its name and how many good records it had."""

    run: str
    name: str
    good: int
