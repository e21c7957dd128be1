"""Read a job file and the `--set` words over it into a `Job`, or name everything that is wrong with it (edge)."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.problems import REQUIRED, faults_of, numbers_taken, unknown_key
from pipeline.config.rules import broken_rules
from pipeline.config.yaml import Fault, KeyPath, Node, Place, apply_settings, read_document, written_path
from pipeline.errors import JobError, Problem
from pipeline.model.job import OF_READER, Job

# A dump given in place of a job file must not be read whole. A guess far above any job file.
_MOST_BYTES = 1024**2


class FaultyJobError(JobError):
    """A job file with faults: `rest` is the job as far as it is sound, None where that is no job, `faulty` their keys."""

    def __init__(self, *problems: Problem, rest: Job | None, faulty: Collection[KeyPath]) -> None:
        super().__init__(*problems)
        self.rest, self.faulty = rest, faulty

    def touches(self, *keys: str) -> bool:
        """Return whether a fault stands in one of these sections or keys of the first level, or in the file as a whole."""
        return any(not path or path[0] in keys for path in self.faulty)


def read_job(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> Job:
    """Read the job file at `path`, with `settings` (`key.path=VALUE`, VALUE is YAML) put over it before it is checked.

    Raises JobError where there is no such file, else FaultyJobError with one problem per fault: `where` is
    `file:line:column: key.path`, or `--set key.path`. Everything that is wrong is named in one go: form, unknown, refused
    and missing keys, values, and rules between keys.
    """
    path, settings = Path(path), [settings] if isinstance(settings, str) else settings
    root, faults = read_document(_text_of(path), str(path))
    faults += apply_settings(root, settings)
    for name in OF_READER:
        own = root.value.pop(name, None)
        if own is not None:
            faults.append(unknown_key((name,), root)._replace(place=own.key_place))
    job, wrong_values = _validate(root, path, settings)
    faults += wrong_values
    faulty = {fault.path for fault in faults}
    rest = job or _rest(root, path, faulty)
    faults += _rules(rest, root, faulty)
    if faults or job is None:
        problems = _problems(faults, root)
        raise FaultyJobError(*problems, rest=rest, faulty={fault.path for fault in faults})
    return job


def _text_of(path: Path) -> str:
    try:
        str(path.absolute()).encode()
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise JobError(Problem("there is no such job file", str(path), "check the path of JOB")) from None
    except IsADirectoryError:
        raise JobError(Problem("this is a folder, not a job file", str(path), "name the .yaml file in it")) from None
    except OSError as error:
        raise JobError(Problem(f"the job file cannot be read: {error.strerror}", str(path), "check its mode")) from None
    except UnicodeEncodeError:
        raise JobError(Problem("this path is no UTF-8", str(path), "rename the file or its folder")) from None
    except ValueError:
        raise JobError(Problem("this is no path of a file", repr(str(path)), "check the path of JOB")) from None
    if len(raw) > _MOST_BYTES:
        raise JobError(Problem("it is larger than 1 MiB and so no job file", str(path), "JOB comes before the dumps"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise JobError(Problem("the job file is not UTF-8", f"{path}:{line}", "save it as UTF-8")) from None


def _validate(root: Node, path: Path, settings: Sequence[str]) -> tuple[Job | None, list[Fault]]:
    """Make the model; a plain number is a number where its key expects one, and the text that was written elsewhere."""
    while True:
        try:
            return Job.model_validate(root.plain() | {"path": path, "settings": tuple(settings)}), []
        except ValidationError as error:
            if not numbers_taken(error, root):
                return None, faults_of(error, root)


def _rest(root: Node, path: Path, faulty: Collection[KeyPath]) -> Job | None:
    """Make the job without what is faulty, where anything is left of it."""
    try:
        return Job.model_validate(_without(root.plain(), {path for path in faulty if path}) | {"path": path})
    except ValidationError:
        return None


def _rules(job: Job | None, root: Node, faulty: Collection[KeyPath]) -> list[Fault]:
    """Check the rules between keys, of a job with faults those that concern none of these."""
    return [
        fault
        for fault in (broken_rules(job, root) if job is not None else ())
        if not any(wrong and _touch(path, wrong) for path in (fault.path, *fault.about) for wrong in faulty)
    ]


def _without(data: dict[str, Any], faulty: set[KeyPath]) -> dict[str, Any]:
    """Take what is faulty out of the data and put harmless values where one is required."""
    for path in faulty:
        # An item of a list goes with its list, a column's `to` with its column.
        names = [name for name in path if isinstance(name, str)]
        names = names[:2] if names[:1] == ["columns"] and names[2:] == ["to"] else names
        _remove(data, names)
    for key, (harmless, _) in REQUIRED.items():
        section: Any = data
        for name in key[:-1]:
            section = section.setdefault(name, {})
        section.setdefault(key[-1], harmless)
    return data


def _remove(data: Any, names: list[str]) -> None:
    for name in names[:-1]:
        data = data.get(name) if isinstance(data, dict) else None
    if isinstance(data, dict) and names:
        data.pop(names[-1], None)


def _touch(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _problems(faults: list[Fault], root: Node) -> list[Problem]:
    """Return each fault its place and sort them as they stand in the file, those of `--set` last."""
    placed = sorted(
        ((_place(fault, root), fault) for fault in faults), key=lambda pair: (not pair[0].line, pair[0][1:])
    )
    return [Problem(fault.what, _where(place, fault.path), fault.do) for place, fault in placed]


def _place(fault: Fault, root: Node) -> Place:
    """Find where a fault stands: its key, or the nearest section above that exists."""
    if fault.place is not None:
        return fault.place
    node = list(root.walk(fault.path))[-1][1]
    return node.key_place or node.place


def _where(place: Place, path: KeyPath) -> str:
    words = written_path(path)
    return str(place) if not words or str(place) == f"--set {words}" else f"{place}: {words}"
