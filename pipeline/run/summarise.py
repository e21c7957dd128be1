"""Say how a run ended: its summary, its problems in words, and what to do next (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import Exit, NotResumableError, Problem
from pipeline.load.load_report import Trouble
from pipeline.model.chunk import import_name
from pipeline.model.counts import Rebuild
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.model.outcome import Ending
from pipeline.report.summary import FileCount, Summary, Verify, counted
from pipeline.run.result import Tally
from pipeline.state.advice import command

# How many chunks in trouble are named.
MOST_TROUBLES = 20


@dataclass(frozen=True)
class RunFacts:
    """What the summary tells beside the counts; `run`, `way` and paths are None where there is none.

    `failed` is where rows of the per-profile way stand that Copernica did not take; `resume` the command that goes on,
    `resumed` says that this is what it did.
    """

    run: str | None
    job: Job
    files: Sequence[SourceFile]
    rejects: Path | None
    seconds: float
    way: str | None = None
    way_reason: str | None = None
    forced: tuple[str, ...] = ()
    api_calls: int = 0
    writes: int = 0
    bytes_sent: int = 0
    imports: int = 0
    resume: str = ""
    failed: Path | None = None
    resumed: bool = False
    replay_of: str | None = None
    state_dir: Path | None = None


def summarise(facts: RunFacts, tally: Tally) -> Summary:
    """Put a finished run into its summary."""
    return Summary(
        run=facts.run,
        job=facts.job.job,
        status=tally.status,
        exit_code=tally.exit_code,
        open=tally.status in ("incomplete", "interrupted"),
        records=tally.records,
        files=_files(tally),
        chunks={**tally.load.chunks, "total": sum(tally.load.chunks.values())},
        imports=facts.imports,
        api_calls=facts.api_calls,
        writes=facts.writes,
        bytes_sent=facts.bytes_sent,
        verify=Verify(tally.verified.checked, tally.verified.equal, tally.verified.different),
        rebuild=_rebuild(facts, tally),
        way=facts.way,
        way_reason=facts.way_reason,
        forced=facts.forced,
        seconds=facts.seconds,
        rejects=facts.rejects,
        set_aside=tally.intake.set_aside,
        problems=tuple(problems(facts, tally)),
        go_on=go_on(facts, tally),
        replay_of=facts.replay_of,
        plan=None if tally.plan is None else tally.plan.counts,
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
        set_aside=tally.intake.set_aside,
        problems=tuple(_for_validation(problem, facts.rejects) for problem in problems(facts, tally)),
        go_on="" if refused else _after_validation(facts, tally),
    )


def _for_validation(problem: Problem, rejects: Path | None) -> Problem:
    """Give a guard's advice in words that fit `validate`, which forces nothing and writes rejects only where told."""
    do = {
        "max_rejects": (f"mend the records in {rejects}" if rejects else "see and mend the records: --rejects FILE")
        + "; run sends the others with --force max_rejects",
        "min_records": "is the dump complete? run takes it with --force min_records",
    }
    return replace(problem, do=do.get(problem.guard, problem.do))


def _after_validation(facts: RunFacts, tally: Tally) -> str:
    if not tally.intake.malformed and not tally.intake.rejected:
        return ""
    if facts.rejects is None:
        return "To see and mend what was set aside, add --rejects FILE."
    return "Mend the rejects and run them."


def _rebuild(facts: RunFacts, tally: Tally) -> str | None:
    """Say what became of the rebuild (data rule 24); None where it was asked for and the run did not come that far."""
    if tally.rebuild is Rebuild.NOT_ASKED and facts.job.target.rebuild:
        return None
    return tally.rebuild.value


def _files(tally: Tally) -> tuple[FileCount, ...]:
    return tuple(
        FileCount(one.file.name, one.sha256, one.lines, one.elements, one.records) for one in tally.intake.facts
    )


def problems(facts: RunFacts, tally: Tally) -> Iterator[Problem]:
    """Name everything that kept the run from being done."""
    if tally.refusal is not None:
        yield from tally.refusal.problems
    troubles = [one for one in tally.load.troubles if one.message not in tally.halts]
    for one in troubles[:MOST_TROUBLES]:
        yield trouble(one, facts)
    if len(troubles) > MOST_TROUBLES:
        rest = len(troubles) - MOST_TROUBLES
        yield Problem(f"{counted(rest, 'more chunk')} {'is' if rest == 1 else 'are'} not confirmed")
    if held := tally.load.chunks.get("held"):
        yield Problem(
            f"{counted(held, 'chunk')} {'was' if held == 1 else 'were'} held behind others that are not confirmed for certain"
        )
    if tally.load.stopped and not tally.load.interrupted and tally.load.stopped not in tally.halts:
        yield Problem(tally.load.stopped, "Copernica", "nothing more was sent")
    if tally.verified.different:
        columns = ", ".join(tally.verified.places)
        yield Problem(
            f"{tally.verified.different} of {tally.verified.checked} records read back are not what was sent: {columns}",
            "verify",
            "look at these columns in Copernica; another process may have changed them meanwhile",
        )
    if tally.rebuild is Rebuild.NOT_DONE and tally.all_confirmed:
        yield Problem(
            "all rows are confirmed, but the last import did not end confirmed: the selections were not rebuilt",
            "rebuild",
            "rebuild them in Copernica; resume then ends the run with `rebuild: given up`",
        )
    yield from tally.problems


def trouble(found: Trouble, facts: RunFacts) -> Problem:
    """Name a chunk that is not confirmed, its files and lines, and what to do."""
    (first_file, first_line), (last_file, last_line) = found.first, found.last
    files, name = facts.files, import_name(facts.run or "", found.ordinal)
    # What an `add` has made a second time nobody can tell apart (data rule 28).
    resend = "" if facts.job.target.action == "add" else " or --unknown resend"
    look = f", after a look for the import {name} in Copernica" if facts.way == "imports" else ""
    where = (
        f"chunk {found.ordinal}, {counted(found.rows, 'row')} between {files[first_file].name} line {first_line}"
        f" and {files[last_file].name} line {last_line}"
    )
    what = {
        Ending.FAILED: f"failed, what arrived of it is not known: {found.message}"
        if not found.per_profile
        else f"{found.message}; those that failed stand in {facts.failed}",
        Ending.UNKNOWN: f"it is not known whether it arrived: {found.message}",
        Ending.SUBMITTED: f"not final yet: {found.message}",
    }.get(found.ending, found.message)
    do = {
        Ending.FAILED: _after_failure(found, facts),
        Ending.UNKNOWN: f"resume looks again; with --unknown sent{resend} you decide{look}",
        Ending.SUBMITTED: "resume asks for it again",
    }.get(found.ending, "")
    return Problem(what, where, do)


def _after_failure(found: Trouble, facts: RunFacts) -> str:
    """Say what to do about a failed chunk; `profiles` is never offered for `add` (data rule 28)."""
    again = facts.job.target.action != "add"
    skip = "resume --failed skip leaves {}, and the next run is begun with --force unfinished_run then"
    if found.per_profile:
        mended = f"mend the rows in {facts.failed} (target columns) and run it"
        if not _takes_target_columns(facts.job):
            mended = f"mend the records in the dump that {facts.failed} names by _file and _line, and run it"
        mend = f"{mended} with --force unfinished_run"
        resend = "mend in Copernica what their messages name and resume --failed profiles, or " if again else ""
        return f"{resend}{mend}; {skip.format('them')}"
    if again:
        return f"resume --failed profiles sends its rows one by one and names the bad ones; {skip.format('it')}"
    return f"see in Copernica what arrived; {skip.format('it')}"


def _takes_target_columns(job: Job) -> bool:
    """Say whether the job reads a file of target columns in canonical text as it stands."""
    source = job.source
    return not job.columns and not job.constants and source.decimal == "." and source.format in (None, "csv")


def _decision(facts: RunFacts, tally: Tally) -> str:
    """Give the word that `resume` needs where nothing but failed chunks, and those that wait for them, is left."""
    load = tally.load
    open_ones = set(load.chunks) - {"confirmed", "held"}
    if open_ones != {"failed"} or load.stopped or load.interrupted or tally.refusal is not None:
        return ""
    if facts.job.target.action == "add":
        return " --failed skip"
    return " --failed profiles  # or --failed skip"


def go_on(facts: RunFacts, tally: Tally) -> str:
    """Give the last line of the report: how to go on where the run is not done."""
    code = tally.exit_code
    if tally.plan is not None and tally.refusal is None and facts.run is not None:
        apply = command("apply", facts.run, state_dir=facts.state_dir)
        return f"To apply: {apply}" if tally.plan.changes else "Nothing would change."
    again = "To go on: resume would stop there again; run it again as it was run"
    if isinstance(tally.refusal, NotResumableError):
        return f"{again}, with --force unfinished_run"
    for guard in ("max_unmatched", "max_deletes"):
        if code is Exit.INCOMPLETE and any(problem.guard == guard for problem in tally.problems):
            return f"{again}, where all is as it should be, with --force {guard} --force unfinished_run"
    if code in (Exit.INCOMPLETE, Exit.INTERRUPTED) or (code is not Exit.OK and tally.load.anything_sent):
        return f"To go on: {facts.resume}{_decision(facts, tally)}"
    if code is not Exit.OK:
        return "Nothing more was sent." if facts.resumed else "Nothing was sent."
    if tally.skipped_files and not tally.intake.facts:
        return f"Nothing is new: all {len(tally.skipped_files)} files were confirmed by earlier runs; nothing was sent."
    if tally.intake.malformed or tally.intake.rejected:
        return "All accepted rows are confirmed; mend the rejects and run them again."
    return "All rows are confirmed."
