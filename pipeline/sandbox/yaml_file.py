"""Read a YAML 1.2 file and report where it is broken (edge: file)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import JobError, Problem


def read_yaml(path: Path) -> Any:
    """Load one document. Raises JobError when the file cannot be read or is no YAML, with its line."""
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise JobError(Problem(f"cannot be read: {reason}", str(path), "check the path")) from error
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        what = str(error.problem if isinstance(error, MarkedYAMLError) else error).splitlines()[0]
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise JobError(Problem(f"no valid YAML: {what}", where, "mend the file")) from error
