"""Find the dump files of a run: globs, natural order, names as the operator wrote them (edge: the file system)."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError, Problem
from pipeline.extract.archives import KINDS
from pipeline.extract.refusal import Refused, grouped
from pipeline.extract.remote import Remote, RemoteError, is_url
from pipeline.model.files import SourceFile
from pipeline.model.job import Format, format_of


def find_files(patterns: Sequence[str], folder: Path) -> tuple[SourceFile, ...]:
    """Find the files that the patterns name, as `look_for` does; raises InputError where something is wrong with one."""
    files, problems = look_for(patterns, folder)
    if problems:
        raise InputError(*grouped(problems))
    return files


def look_for(patterns: Sequence[str], folder: Path) -> tuple[tuple[SourceFile, ...], tuple[Problem, ...]]:
    """Find the files that the patterns name, relative to `folder` or absolute, and what is wrong at first sight (data rule 7).

    Files stand in the order of the patterns, within a glob in natural order (`d2` before `d10`); one that is named
    twice stands once. A pattern that is the name of an existing file is that file, whatever brackets it holds. The
    problems name every pattern without a file and every file that is a folder, unreadable or empty.
    """
    problems: list[Problem] = []
    found: dict[str, SourceFile] = {}
    for pattern in patterns:
        if is_url(pattern):
            problems += _look_behind(pattern, found)
            continue
        names = _matches(pattern, folder)
        if not names:
            problems.append(Problem("no file of that name", pattern, "mend the name, or see whether the dump arrived"))
        for name in names:
            path = Path(os.path.abspath(folder / name))  # noqa: PTH100 - resolve() would follow links
            problem = _problem(path, name)
            if problem is not None:
                problems.append(problem)
                continue
            facts = path.stat()
            real = os.path.realpath(path)
            found.setdefault(real, SourceFile(path, name, len(found), facts.st_size, facts.st_mtime_ns))
    return tuple(found.values()), tuple(problems)


def _look_behind(pattern: str, found: dict[str, SourceFile]) -> list[Problem]:
    """Add the remote files that a URL or a glob of one names to `found`; returns what is wrong with them."""
    try:
        names = sorted(Remote(pattern).names(), key=_natural)
        if not names:
            return [Problem("no file of that name", pattern, "correct the name, or see whether the dump arrived")]
        problems = []
        for name in names:
            version = Remote(name).version()
            if version.size_bytes == 0:
                problems.append(_empty(name))
                continue
            size = version.size_bytes or 0
            found.setdefault(name, SourceFile(Path(name), name, len(found), size, version.mtime_ns))
        return problems
    except RemoteError as error:
        return [
            Problem(f"cannot be read: {error}", pattern, "see that it exists and that your credentials may read it")
        ]


def _empty(name: str) -> Problem:
    return Problem("is empty (0 bytes)", name, "see whether the export went wrong; a header alone is fine")


def _matches(pattern: str, folder: Path) -> list[str]:
    if os.path.lexists(folder / pattern):
        return [pattern]
    return sorted(glob.glob(pattern, root_dir=folder, recursive=True), key=_natural)  # noqa: PTH207 - keeps the spelling


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


def _problem(path: Path, name: str) -> Problem | None:
    try:
        str(path).encode()
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            return Problem("is a folder", name, f"name its files, such as {name.rstrip('/')}/*.csv")
        if not stat.S_ISREG(facts.st_mode):
            return Problem("is no regular file", name, "write the dump to a file first")
        if facts.st_size == 0:
            return _empty(name)
        with path.open("rb"):
            return None
    except UnicodeEncodeError:
        # It could stand neither in the ledger nor in a rejects file.
        return Problem("its name, or that of its folder, is no UTF-8", name, "rename it")
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror}", name, "see that it exists and may be read")


def archive_of(name: str) -> str:
    """Return the extension of the compression in a file's name, such as `.gz`, or nothing."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix in KINDS else ""


def known_format(name: str, own: Format | None) -> Format:
    """Return the format that the job sets, else that of the extension; raises Refused for an unknown one."""
    found = own or format_of(name)
    if found is None:
        suffix = Path(name[: len(name) - len(archive_of(name))]).suffix
        what = f"the extension {suffix!r} names no format" if suffix else "has no extension, so no known format"
        raise Refused(Problem(what, name, "set source.format to csv, json or ndjson"))
    return found
