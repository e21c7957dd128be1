"""Choose how a JSON dump is read: an array, lines of objects, or a file of ours (wiring)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pipeline.extract.decoding import utf8_blocks
from pipeline.extract.ours import LEAST_OURS, Saved, count_ours, is_canonical
from pipeline.extract.reading import Batches, Found, Task, first_line

_SAVED = Saved(",", "utf-8", changed=False)


def read_json(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read a JSON array."""
    # Here and not at the top, as below: most dumps are CSV.
    from pipeline.extract.json.array import ArrayReader

    yield from ArrayReader(task, found, utf8_blocks(blocks, task.source.encoding, task.file.name)).read()


def read_ndjson(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read lines of JSON objects; a file of ours is UTF-8 whatever the job sets, and may hold canonical text."""
    from pipeline.extract.json.ndjson import NdjsonReader

    head, blocks = first_line(blocks)
    first = _first_object(head)
    if count_ours(tuple(first)) >= LEAST_OURS:
        task = task.of_ours(_SAVED)
        if is_canonical(first) and task.canonical is not None:
            task = replace(task, expected=task.canonical, lists=frozenset(), reads_canonical=True)
    yield from NdjsonReader(task, found).read(utf8_blocks(blocks, task.source.encoding, task.file.name))


def read_piece(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read whole lines of a file of JSON objects that is none of ours."""
    from pipeline.extract.json.ndjson import NdjsonReader

    yield from NdjsonReader(task, found).read(blocks)


def is_ours(head: bytes) -> bool:
    """Return whether a file that begins with `head` is an NDJSON file of ours: its first object has three keys of ours."""
    return count_ours(tuple(_first_object(head))) >= LEAST_OURS


def _first_object(head: bytes) -> dict[str, Any]:
    line = head.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")
    if not line.startswith(b"{"):
        return {}
    try:
        # int() refuses numbers of thousands of digits.
        value = json.loads(line, parse_int=str)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
