"""Say how a run ended: its summary, its problems in words, and what to do next (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import Exit, Problem
from pipeline.job import Job
from pipeline.load.chunk import import_name
from pipeline.load.outcome import Ending
from pipeline.load.report import Trouble
from pipeline.records import SourceFile
from pipeline.report.summary import FileCount, Summary, Verify
from pipeline.tally import Tally

# How many chunks in trouble are named.
MOST_TROUBLES = 20


@dataclass(frozen=True)
class RunFacts:
    """What the summary tells beside the counts; `run`, `way` and paths are None where there is none."""

    run: str | None
    job: Job
    files: Sequence[SourceFile]
    rejects: Path | None
    codes: Mapping[str, int]
    seconds: float
    way: str | None = None
    way_reason: str | None = None
    forced: tuple[str, ...] = ()
    api_calls: int = 0
    writes: int = 0
    bytes_sent: int = 0
    imports: int = 0
    resume: str = ""


def summarise(facts: RunFacts, tally: Tally) -> Summary:
    """Put a finished run into its summary."""
    return Summary(
        run=facts.run,
        job=facts.job.job,
        status=tally.status,
        exit_code=tally.exit_code,
        records=tally.records,
        files=_files(tally),
        chunks={**tally.load.chunks, "total": sum(tally.load.chunks.values())},
        imports=facts.imports,
        api_calls=facts.api_calls,
        writes=facts.writes,
        bytes_sent=facts.bytes_sent,
        verify=Verify(tally.verified.checked, tally.verified.equal, tally.verified.different),
        rebuild=tally.rebuild.value,
        way=facts.way,
        way_reason=facts.way_reason,
        forced=facts.forced,
        seconds=facts.seconds,
        rejects=facts.rejects,
        codes=facts.codes,
        problems=tuple(problems(facts, tally)),
        go_on=go_on(facts, tally),
    )


def summarise_validation(facts: RunFacts, tally: Tally) -> Summary:
    """Put a validation into its summary: no rows are compared with each other, and all accepted ones are unsent."""
    refused = tally.refusal is not None
    return Summary(
        run=None,
        job=facts.job.job,
        status="refused" if refused else "validated",
        exit_code=tally.exit_code if refused else Exit.OK,
        records=replace(tally.records, superseded=None, profile_conflicts=None),
        files=_files(tally),
        seconds=facts.seconds,
        rejects=facts.rejects,
        codes=facts.codes,
        problems=tuple(problems(facts, tally)),
    )


def _files(tally: Tally) -> tuple[FileCount, ...]:
    return tuple(
        FileCount(one.file.name, one.sha256, one.lines, one.elements, one.records) for one in tally.intake.facts
    )


def problems(facts: RunFacts, tally: Tally) -> Iterator[Problem]:
    """Name everything that kept the run from being done."""
    if tally.refusal is not None:
        yield from tally.refusal.problems
    for one in tally.load.troubles[:MOST_TROUBLES]:
        yield trouble(one, facts)
    if len(tally.load.troubles) > MOST_TROUBLES:
        yield Problem(f"{len(tally.load.troubles) - MOST_TROUBLES} more chunks are not confirmed")
    if held := tally.load.chunks.get("held"):
        yield Problem(f"{held} chunks were held: they share customers with a chunk that is not confirmed")
    if tally.load.stopped and not tally.load.interrupted:
        yield Problem(tally.load.stopped, "Copernica", "nothing more was sent")
    if tally.verified.different:
        columns = ", ".join(tally.verified.places)
        yield Problem(
            f"{tally.verified.different} of {tally.verified.checked} records read back are not what was sent: {columns}",
            "verify",
            "look at these columns in Copernica; another process may have changed them meanwhile",
        )
    yield from tally.problems


def trouble(found: Trouble, facts: RunFacts) -> Problem:
    """Name a chunk that is not confirmed, its files and lines, and what to do."""
    (first_file, first_line), (last_file, last_line) = found.first, found.last
    files, name = facts.files, import_name(facts.run or "", found.ordinal)
    look = f", after a look for the import {name} in Copernica" if facts.way == "imports" else ""
    where = (
        f"chunk {found.ordinal}, {found.rows} rows between {files[first_file].name} line {first_line}"
        f" and {files[last_file].name} line {last_line}"
    )
    what = {
        Ending.FAILED: f"failed, what arrived of it is not known: {found.message}",
        Ending.UNKNOWN: f"it is not known whether it arrived: {found.message}",
        Ending.SUBMITTED: f"not final yet: {found.message}",
    }.get(found.ending, found.message)
    do = {
        Ending.FAILED: "resume --failed profiles sends its rows one by one and names the bad ones, --failed skip leaves it",
        Ending.UNKNOWN: f"resume looks again; with --unknown sent or --unknown resend you decide{look}",
        Ending.SUBMITTED: "resume asks for it again",
    }.get(found.ending, "")
    return Problem(what, where, do)


def go_on(facts: RunFacts, tally: Tally) -> str:
    """Give the last line of the report: how to go on where the run is not done."""
    code = tally.exit_code
    if code in (Exit.INCOMPLETE, Exit.INTERRUPTED):
        return f"To go on: {facts.resume}"
    if code is not Exit.OK:
        return "Nothing was sent."
    if tally.skipped_files and not tally.intake.facts:
        return f"Nothing is new: all {tally.skipped_files} files were confirmed by earlier runs; nothing was sent."
    if tally.intake.malformed or tally.intake.rejected:
        return "All accepted rows are confirmed; mend the rejects and run them again."
    return "All rows are confirmed."
