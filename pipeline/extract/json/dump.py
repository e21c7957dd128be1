"""Choose how a JSON dump is read: an array, lines of objects, or a rejects file of ours (wiring)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.extract.decoding import utf8_blocks
from pipeline.extract.json.array import ArrayReader
from pipeline.extract.json.ndjson import NdjsonReader, is_rejects_line
from pipeline.extract.reading import Batches, Found, Task, again

# A first line that is longer is no line of a rejects file that anyone mends by hand.
_MOST_HEAD_BYTES = 1 << 24


def read_json(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read a JSON array."""
    rejects, blocks = _look(blocks)
    if rejects:
        yield from _read_rejects(task, blocks, found)
    else:
        yield from ArrayReader(task, found, utf8_blocks(blocks, task.source.encoding, task.file.name)).read()


def read_ndjson(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read lines of JSON objects."""
    rejects, blocks = _look(blocks)
    if rejects:
        yield from _read_rejects(task, blocks, found)
    else:
        yield from NdjsonReader(task, found).read(utf8_blocks(blocks, task.source.encoding, task.file.name))


def _read_rejects(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read a rejects file as we wrote it, whatever the job says: UTF-8, an object per line."""
    yield from NdjsonReader(task.of_rejects(), found).read(utf8_blocks(blocks, "utf-8", task.file.name))


def _look(blocks: Iterator[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Look at the first line; gives whether it is one of a rejects file, and the blocks again."""
    head = b""
    for block in blocks:
        head += block
        if b"\n" in block or len(head) > _MOST_HEAD_BYTES or not head.startswith(b"{"):
            break
    return is_rejects_line(head.split(b"\n", 1)[0]), again(head, blocks)
