"""Hold the summary of a run: the counts, the document behind `--json`, the words at the end of a run (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import AccountingError, Problem
from pipeline.model.codes import CODES
from pipeline.model.counts import SetAside

Status = Literal["running", "validated", "planned", "done", "refused", "incomplete", "interrupted"]

# How many reject codes the text names; the document has them all.
MOST_SET_ASIDE = 20
# The counts of the one line, in the order of the way of the data.
_IN_LINE = (
    "malformed", "rejected", "collapsed", "accepted", "unchanged", "confirmed", "failed", "unknown", "unsent",
)  # fmt: skip


@dataclass(frozen=True)
class Records:
    """Counts of rows (data rules 1-3); None where a count is not known, such as `superseded` of `validate`."""

    read: int = 0
    malformed: int = 0
    rejected: int = 0
    rejected_by_target: int = 0
    collapsed: int = 0
    accepted: int = 0
    superseded: int | None = None
    profile_conflicts: int | None = None
    unchanged: int = 0
    confirmed: int = 0
    unmatched: int | None = None
    failed: int = 0
    unknown: int = 0
    unsent: int = 0

    def to_dict(self) -> dict[str, int | None]:
        """Return the counts under their names of the contract."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class FileCount:
    """A dump of the run: the digest of its stored bytes, its physical lines, objects and rows."""

    path: str
    sha256: str
    lines: int
    elements: int
    records: int


@dataclass(frozen=True)
class Verify:
    """How many records were read back and compared (data rule 27)."""

    checked: int = 0
    equal: int = 0
    different: int = 0


@dataclass(frozen=True)
class Summary:
    """What a run did and how it ended.

    `open` is whether time or another attempt can still change the outcome; `problems` why it ended as it did, `go_on`
    what to do next. `gone` and `drifted` are None where nobody looked for such keys. `chunks` counts chunks by state;
    `total` is all of them. `forced` names guards. `way` is imports or profiles, None where nothing was to be sent,
    `way_reason` why it was taken (data rule 25). `seconds` is wall time. `replay_of` names the run whose rows this one took.
    `undo` has what an undo does and leaves, and the run that it undoes.
    """

    run: str | None
    job: str
    status: Status
    exit_code: int
    records: Records
    open: bool = False
    set_aside: tuple[SetAside, ...] = ()
    gone: int | None = None
    drifted: int | None = None
    problems: tuple[Problem, ...] = ()
    go_on: str = ""
    files: tuple[FileCount, ...] = ()
    chunks: Mapping[str, int] = field(default_factory=dict)
    imports: int = 0
    writes: int = 0
    api_calls: int = 0
    bytes_sent: int = 0
    verify: Verify = Verify()
    rebuild: str | None = None
    way: str | None = None
    way_reason: str | None = None
    forced: tuple[str, ...] = ()
    seconds: float = 0.0
    rejects: Path | None = None
    report: Path | None = None
    plan: Mapping[str, Any] | None = None
    undo: Mapping[str, Any] | None = None
    replay_of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the document of `--json` and `run.json`; a refused run has the keys of a refusal too."""
        document: dict[str, Any] = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)} | {
            "exit_code": int(self.exit_code),
            "records": self.records.to_dict(),
            "set_aside": [one.to_dict() for one in self.set_aside],
            "problems": errors_of(self.problems),
            "files": [dataclasses.asdict(file) for file in self.files],
            "chunks": dict(self.chunks),
            "verify": dataclasses.asdict(self.verify),
            "forced": sorted(self.forced),
            "seconds": round(self.seconds, 3),
            "rejects": _place(self.rejects),
            "report": _place(self.report),
        }
        for name in ("plan", "undo", "replay_of"):
            if document[name] is None:
                del document[name]
        if self.status == "refused":
            document["errors"] = errors_of(self.problems)
        return document

    def check_sums(self) -> None:
        """Compare both sums of data rule 2; raises AccountingError where one is off."""
        rows = self.records
        first = rows.malformed + rows.rejected + rows.collapsed + rows.accepted
        second = rows.unchanged + rows.confirmed + rows.failed + rows.unknown + rows.unsent
        wrong = []
        if rows.read != first:
            wrong.append(f"{rows.read} records read, {first} accounted for")
        if rows.accepted != second:
            wrong.append(f"{rows.accepted} records accepted, {second} accounted for")
        if negative := [name for name, count in rows.to_dict().items() if count is not None and count < 0]:
            wrong.append(f"fewer than no records: {', '.join(negative)}")
        if rows.rejected_by_target > rows.rejected:
            wrong.append(f"{rows.rejected} records rejected, {rows.rejected_by_target} of them by the target")
        if wrong:
            where = "" if self.run is None else f"run {self.run}"
            raise AccountingError(
                *(Problem(what, where, "this is a bug: please report it with the run's log") for what in wrong)
            )

    def text(self) -> str:
        """Return the summary for a person; its last line is what to do next."""
        return "\n".join((*_headline(self), *_counts(self), *_set_aside(self), *_places(self), *_last(self))) + "\n"

    def line(self) -> str:
        """Return the summary as one line: job, verdict, exit code, counts and run."""
        return one_line(self.to_dict())


def counted(number: int, one: str) -> str:
    """Return a number with its noun, in the plural but for one."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def one_line(document: Mapping[str, Any]) -> str:
    """Return a run summary (its document) as one line: job, verdict, exit code, the counts that are not 0, and the run."""
    records = document.get("records") or {}
    counts = [f"{records[name]:,} {name}" for name in _IN_LINE if records.get(name)]
    counts = [f"{records['read']:,} read", *counts] if "read" in records else counts
    run = "" if document.get("run") is None else f"; run {document['run']}"
    still_open = document.get("open") and document["status"] != "running"
    verdict = f"{document['status']}{', still open' if still_open else ''}"
    if document.get("undo"):
        run += f", which undoes {document['undo']['run']}"
    if document.get("undone_by"):
        run += f", undone by {document['undone_by']}"
    code = "" if document.get("exit_code") is None else f" (exit {document['exit_code']})"
    return f"{document['job']}: {verdict}{code}: {', '.join(counts) or 'nothing counted yet'}{run}"


def errors_of(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return problems in the shape of the contract: `where`, `what`, `do`."""
    return [{"where": problem.where, "what": problem.what, "do": problem.do} for problem in problems]


def _headline(summary: Summary) -> Iterator[str]:
    run = "" if summary.run is None else f", run {summary.run}"
    yield f"{summary.job}{run}: {summary.status} in {summary.seconds:.1f} s (exit {int(summary.exit_code)})"
    if summary.forced:
        yield "guards overridden: " + ", ".join(sorted(summary.forced))
    yield ""


def _counts(summary: Summary) -> Iterator[str]:
    """Lay out the counts as the tree that they add up in; a part that is 0 is left out but for the main ones."""
    rows = summary.records
    sent = summary.status not in ("validated", "refused")
    conflicts = "profile in conflict" if rows.profile_conflicts == 1 else "profiles in conflict"
    lines: list[tuple[str, int | None, str]] = [
        ("read", rows.read, ""),
        ("  malformed", rows.malformed, ""),
        ("  rejected", rows.rejected, _aside({"by the target's own limits": rows.rejected_by_target})),
        ("  collapsed", rows.collapsed or None, "equal rows of one key"),
        (
            "  accepted",
            rows.accepted,
            _aside({"superseded": rows.superseded, conflicts: rows.profile_conflicts}),
        ),
        ("    unchanged", rows.unchanged or None, "equal to what was confirmed before, not sent"),
        ("    confirmed", rows.confirmed if sent else None, _aside({"unmatched": rows.unmatched})),
        ("    failed", rows.failed or None, ""),
        ("    unknown", rows.unknown or None, ""),
        ("    unsent", rows.unsent if sent and rows.unsent else None, ""),
        ("imports", summary.imports if sent else None, _aside({"bytes": summary.bytes_sent})),
        ("other writes", summary.writes or None, ""),
        ("API calls", summary.api_calls or None, ""),
        ("read back", summary.verify.checked or None, _aside({"different": summary.verify.different})),
    ]
    for title, count, aside in lines:
        if count is not None:
            yield f"{title:<14}{count:>13,}  {aside}".rstrip()
    if summary.rebuild is not None:
        yield f"{'rebuild':<14}{summary.rebuild:>13}"
    if summary.way is not None:
        yield f"{'method':<14}{summary.way:>13}  {summary.way_reason or ''}".rstrip()


def _aside(counts: Mapping[str, int | None]) -> str:
    return ", ".join(f"{count:,} {title}" for title, count in counts.items() if count)


def _set_aside(summary: Summary) -> Iterator[str]:
    if not summary.set_aside:
        return
    yield ""
    yield "set aside"
    for one in summary.set_aside[:MOST_SET_ASIDE]:
        title = CODES[one.code].title if one.code in CODES else ""
        first = f"{one.places[0][0]} line {one.places[0][1]}" if one.places else ""
        words = f"{one.column:<14}  " + ", ".join(filter(None, (title, first)))
        yield f"  {one.code:<17}{one.count:>8,}  {words}".rstrip()
    if len(summary.set_aside) > MOST_SET_ASIDE:
        yield f"  … and {len(summary.set_aside) - MOST_SET_ASIDE} more"


def _places(summary: Summary) -> Iterator[str]:
    places = [("rejects", summary.rejects), ("report", summary.report)]
    if any(path is not None for _, path in places):
        yield ""
    for title, path in places:
        if path is not None:
            yield f"{title + ':':<9}{_place(path)}"


def _place(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _last(summary: Summary) -> Iterator[str]:
    if summary.go_on:
        yield ""
        yield summary.go_on
