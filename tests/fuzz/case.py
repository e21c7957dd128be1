"""Play one case through the real command line in this process and judge how it ended.

A case is a folder: a job file, a schema, dumps, and the words behind `validate`. Whatever stands in them, the law is the
same: a documented exit code, one JSON document on stdout, no traceback, sums and lines that add up, every record in
exactly one of the two output files, and a rejects file that is set aside again as it stands.
"""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.__main__ import main

# A case that takes longer is a finding: none is larger than a few hundred kilobytes.
MOST_S = 20.0
# Exit codes that `validate` may end with; 1 is a bug, 5 and 6 need a network.
DOCUMENTED = {0, 2, 3, 4}
JOB = "job.yaml"
_OURS = ("_file", "_line", "_record")


@dataclass(frozen=True)
class Case:
    """Files by name (the job file among them) and the words behind the job: dumps, `--set`, output files by name."""

    files: dict[str, bytes]
    words: tuple[str, ...] = ()
    accepted: str | None = None
    rejects: str | None = None
    # The dump as it is when no bytes stand in the way of counting its lines (UTF-8, not compressed).
    counted: str | None = None

    def write(self, folder: Path) -> None:
        """Lay the case out in a folder."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (folder / "words.json").write_text(json.dumps([*self.words, self.accepted, self.rejects, self.counted]))


class TooSlow(BaseException):
    """A case that does not end; it passes by every `except Exception` of the program."""


@dataclass
class Ended:
    """How the command line ended."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> dict[str, Any]:
        """Return the counts, nothing where there is no summary."""
        return self.document.get("records") or {}


def call(*words: str, documented: frozenset[int] | set[int] = DOCUMENTED) -> tuple[Ended, list[str]]:
    """Call the command line with `--json`; gives how it ended and which law that breaks."""
    out, err = io.StringIO(), io.StringIO()
    started_s = time.monotonic()
    with redirect_stdout(out), redirect_stderr(err):
        exit_code = main([words[0], "--json", *words[1:]])
    ended = Ended(exit_code, out.getvalue(), err.getvalue(), time.monotonic() - started_s)
    found = []
    if exit_code not in documented:
        found.append(f"exit code {exit_code}")
    if "Traceback" in ended.stderr:
        found.append("a traceback on stderr")
    if ended.seconds > MOST_S:
        found.append(f"took {ended.seconds:.0f} s")
    try:
        ended.document = json.loads(ended.stdout)
    except ValueError:
        return ended, [*found, "stdout is no single JSON document"]
    if ended.document.get("exit_code") != exit_code:
        found.append("the document names another exit code")
    return ended, [*found, *_sums(ended)]


def _sums(ended: Ended) -> list[str]:
    """Compare the sums of data rule 2."""
    rows = ended.records
    if not rows:
        return [] if ended.exit_code else ["no counts in the summary"]
    found = []
    if rows["read"] != rows["malformed"] + rows["rejected"] + rows["collapsed"] + rows["accepted"]:
        found.append(f"read is no sum: {rows}")
    if rows["accepted"] != rows["confirmed"] + rows["failed"] + rows["unknown"] + rows["unsent"]:
        found.append(f"accepted is no sum: {rows}")
    if ended.exit_code == 0 and rows["read"] != sum(one["records"] for one in ended.document["files"]):
        found.append("the records of the files are no sum")
    return found


def play(case: Case, folder: Path) -> list[str]:
    """Play a case in a folder and name the laws that it breaks."""
    case.write(folder)
    words = list(case.words)
    for option, name in (("--accepted", case.accepted), ("--rejects", case.rejects)):
        words += [option, str(folder / name)] if name else []
    ended, found = call("validate", str(folder / JOB), *words, "--origin")
    if ended.exit_code or found:
        return found
    found += _lines(case, ended)
    found += _outputs(case, ended, folder)
    if case.rejects and (folder / case.rejects).exists() and not found:
        found += again(case, folder / case.rejects, ended, folder)
    return found


def _lines(case: Case, ended: Ended) -> list[str]:
    """Count the physical lines of a dump apart from the program; only where none ends with a bare CR."""
    data = case.files.get(case.counted or "", b"")
    if not case.counted or b"\r" in data.replace(b"\r\n", b""):
        return []
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
    (facts,) = ended.document["files"]
    return [] if facts["lines"] == lines else [f"{facts['lines']} lines were counted where there are {lines}"]


def _number(digits: str) -> int | str:
    """Read a number of our own as one; int() refuses those of thousands of digits."""
    return int(digits) if len(digits) < 20 else digits


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read an output file with the standard library."""
    if not path.exists():
        return []
    text = path.read_bytes().decode()
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return [json.loads(line, parse_int=_number) for line in text.split("\n") if line]


def _outputs(case: Case, ended: Ended, folder: Path) -> list[str]:
    """See that each record stands in exactly one output, as often as it was counted."""
    rows = ended.records
    accepted = rows_of(folder / case.accepted) if case.accepted else []
    rejects = rows_of(folder / case.rejects) if case.rejects else []
    found = []
    if case.accepted and len(accepted) != rows["accepted"]:
        found.append(f"{len(accepted)} rows in the accepted file, {rows['accepted']} were counted")
    if case.rejects and len(rejects) != rows["malformed"] + rows["rejected"]:
        found.append(f"{len(rejects)} rows in the rejects file, {rows['malformed']} + {rows['rejected']} were counted")
    if not (case.accepted and case.rejects) or found:
        return found
    records = Counter((row["_file"], int(row["_record"])) for row in [*accepted, *rejects])
    wanted = {(one["path"], at) for one in ended.document["files"] for at in range(1, one["elements"] + 1)}
    if records.keys() != wanted:
        odd = sorted(records.keys() ^ wanted)[:5]
        return [f"records in no output, or in one without being there: {odd}"]
    if rows["read"] == len(wanted) and max(records.values(), default=1) > 1:
        return ["a record stands in both outputs"]
    return []


def again(case: Case, rejects: Path, before: Ended, folder: Path) -> list[str]:
    """Read the rejects file as it stands: all of it is set aside again, for the same reason or as unreadable."""
    if rejects.suffix == ".ndjson" and before_is_csv(before, rejects):
        return []
    settings = [word for word in case.words if word.startswith("--set=")]
    settings += ["--set=guards.max_rejects=100%", "--set=guards.min_records=0"]
    second = folder / f"again{rejects.suffix}"
    ended, found = call("validate", str(folder / JOB), str(rejects), *settings, "--rejects", str(second))
    if found or ended.exit_code == 4:
        return found or [f"its own rejects file is refused: {ended.stderr[:300]}"]
    rows, was = ended.records, before.records
    if (rows["malformed"], rows["rejected"]) != (was["malformed"], was["rejected"]):
        return [f"the rejects file read again: {rows} after {was}"]
    for first, then in zip(rows_of(rejects), rows_of(second), strict=True):
        wanted = "unreadable_before" if first["_raw"] else first["_code"]
        if (then["_code"], then["_raw"]) != (wanted, first["_raw"]):
            return [f"a row of the rejects file becomes {then['_code']} {then['_raw']!r} after {first}"[:400]]
    return []


def before_is_csv(before: Ended, rejects: Path) -> bool:
    """Return whether the rejects of a CSV dump were written as NDJSON, which the job then reads as CSV."""
    return any("_element" not in row for row in rows_of(rejects)[:1]) or not before.records["read"]


@contextmanager
def time_bound(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the main thread when the block takes longer."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def texts_of(findings: Sequence[str]) -> str:
    """Return findings as lines."""
    return "".join(f"{finding}\n" for finding in findings)
