"""Keep in the folder of an undo what it does and which run it undoes, for its summary (edge: the run's folder)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.report.summary import counted
from pipeline.state.files import write_whole
from pipeline.state.folder import RunFolder

_NAME = "undo.json"


def write_undo(folder: RunFolder, found: Mapping[str, Any]) -> None:
    """Keep the entry `undo` of the summary."""
    write_whole(folder.path / _NAME, json.dumps(found).encode())


def read_undo(folder: RunFolder) -> dict[str, Any] | None:
    """Read it back, None where the run is no undo."""
    try:
        return dict(json.loads((folder.path / _NAME).read_bytes()))
    except FileNotFoundError:
        return None


def after_undo(found: Mapping[str, Any]) -> str:
    """Return the last line of an undo that is done."""
    parts = [f"{counted(found['restore'], 'record')} restored to the values before run {found['run']}"]
    files = found["files"]
    if found["conflicts"]:
        parts.append(f"{counted(found['conflicts'], 'conflict')} left, in {files['conflicts.csv']}")
    for kind, words in (("created", "records that the run made"), ("deleted", "records that the run deleted")):
        paths = [path for name, path in files.items() if name.startswith(kind)]
        if found[kind] and paths:
            parts.append(f"{words}: {', '.join(paths)}")
    return f"{'; '.join(parts)}\nThe next dump sends its values again."
