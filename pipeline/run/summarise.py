"""Put a run into its summary: counts, problems in words, and what to do next (wiring)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Exit, PipelineError, Problem
from pipeline.model.chunk import ChunkState
from pipeline.model.job import Job
from pipeline.model.outcome import StopCode
from pipeline.report.summary import FileCount, Status, Summary, Verify, counted
from pipeline.run.result import Tally
from pipeline.run.undo.record import after_undo, read_undo
from pipeline.state.advice import command, job_command
from pipeline.state.chunk_records import ChunkRow

if TYPE_CHECKING:
    from pipeline.run.stages import Stages

# How many chunks that are not confirmed are named.
MOST_TROUBLES = 20


def summarise(stages: Stages, seconds: float) -> Summary:
    """Put a finished run into its summary."""
    tally, client, load = stages.tally, stages.context.target.client, stages.tally.load
    choice = stages.id.choice if stages.loader is None else stages.loader.choice
    return Summary(
        run=stages.id.run,
        job=stages.id.job.job,
        status=tally.status,
        exit_code=tally.exit_code,
        open=tally.open,
        records=tally.records,
        files=_files(tally),
        chunks={**load.chunks, "total": sum(load.chunks.values())},
        imports=sum(row.import_id is not None for row in load.rows),
        api_calls=client.calls,
        writes=client.writes,
        bytes_sent=client.bytes_sent,
        gone=tally.gone,
        drifted=None if stages.manifest is None or stages.manifest.narrowed is None else tally.verified.drifted,
        verify=Verify(tally.verified.checked, tally.verified.equal, tally.verified.different),
        rebuild=None if tally.rebuild is None else tally.rebuild.value,
        way=choice.method,
        way_reason=choice.reason,
        forced=tuple(sorted(stages.id.forced)),
        seconds=seconds,
        rejects=stages.rejects,
        set_aside=tally.intake.set_aside,
        problems=tuple(problems(stages)),
        go_on=go_on(stages),
        replay_of=stages.id.replay_of,
        plan=None if tally.plan is None else tally.plan.counts,
        undo=read_undo(stages.id.folder),
    )


def refused(run: str, job: Job, error: PipelineError, seconds: float) -> Summary:
    """Put a run that was refused before it read anything into its summary."""
    status: Status = "interrupted" if error.exit_code is Exit.INTERRUPTED else "refused"
    return Summary(
        run=run,
        job=job.job,
        status=status,
        exit_code=error.exit_code,
        records=Tally().records,
        seconds=seconds,
        problems=error.problems,
        go_on="Nothing was sent.",
    )


def summarise_validation(job: Job, tally: Tally, rejects: Path | None, seconds: float) -> Summary:
    """Put a validation into its summary: no rows are compared with each other, and all accepted ones are unsent."""
    is_refused = tally.refusal is not None
    found = () if tally.refusal is None else tally.refusal.problems
    return Summary(
        run=None,
        job=job.job,
        status="refused" if is_refused else "validated",
        exit_code=tally.exit_code if is_refused else Exit.OK,
        records=replace(tally.records, superseded=None, profile_conflicts=None),
        files=_files(tally),
        seconds=seconds,
        rejects=rejects,
        set_aside=tally.intake.set_aside,
        problems=tuple(_for_validation(problem, rejects, tally) for problem in found),
        go_on="" if is_refused else _after_validation(rejects, tally),
    )


def _for_validation(problem: Problem, rejects: Path | None, tally: Tally) -> Problem:
    """Return a guard's advice in words that fit `validate`, which forces nothing and writes rejects only where asked to."""
    if tally.intake.read and not tally.intake.valid:
        return problem  # no record is good: nothing is to be forced
    do = {
        "max_rejects": (f"mend the records in {rejects}" if rejects else "see and mend the records: --rejects FILE")
        + "; run sends the others with --force max_rejects",
        "min_records": "is the dump complete? run takes it with --force min_records",
    }
    return replace(problem, do=do.get(problem.guard, problem.do))


def _after_validation(rejects: Path | None, tally: Tally) -> str:
    if not tally.intake.malformed and not tally.intake.rejected:
        return ""
    if rejects is None:
        return "To see and mend what was set aside, add --rejects FILE."
    return "Mend the rejects and run them."


def _files(tally: Tally) -> tuple[FileCount, ...]:
    return tuple(
        FileCount(one.file.name, one.sha256, one.lines, one.elements, one.records) for one in tally.intake.facts
    )


def problems(stages: Stages) -> Iterator[Problem]:
    """Name everything that kept the run from being done, or that a person has to know of."""
    tally, load = stages.tally, stages.tally.load
    refusals = () if tally.refusal is None else tally.refusal.problems
    yield from refusals
    stop = load.stop
    if stop is not None and stop.code not in (StopCode.INTERRUPTED, StopCode.GUARD) and tally.refusal is None:
        yield Problem(f"sending stopped: {stop.message}", "Copernica")
    known = {problem.what for problem in refusals} | ({stop.message} if stop is not None else set())
    troubles = [row for row in load.rows if row.word not in ("confirmed", "held", "split") and row.message not in known]
    if stop is not None:  # the reason of what was not sent
        troubles = [row for row in troubles if row.message or row.state is not ChunkState.UNSENT]
    for row in troubles[:MOST_TROUBLES]:
        yield _trouble(row, stages)
    if len(troubles) > MOST_TROUBLES:
        rest = len(troubles) - MOST_TROUBLES
        yield Problem(f"{counted(rest, 'more chunk')} {'is' if rest == 1 else 'are'} not confirmed")
    if held := sum(row.rows for row in load.rows if row.word == "held"):
        yield Problem(f"{counted(held, 'row')} had to wait for earlier rows of the same customers")
    if tally.verified.different:
        columns = ", ".join(tally.verified.places)
        yield Problem(
            f"{tally.verified.different} of {tally.verified.checked} records read back are not what was sent: {columns}",
            "verify",
            "look at these columns in Copernica",
        )
    if tally.verified.changed:
        yield Problem(f"{counted(tally.verified.changed, 'record')} that was read back somebody else has changed since")
    if tally.rebuild is not None and tally.rebuild.value == "not done":
        what = "the last import did not end confirmed: selections were not rebuilt"
        yield Problem(what, "rebuild", "rebuild them in Copernica, or run the job again")
    yield from tally.problems


def _trouble(row: ChunkRow, stages: Stages) -> Problem:
    """Name a chunk that is not confirmed, its files and lines."""
    (first_file, first_line), (last_file, last_line) = row.first, row.last
    files = stages.id.files
    where = (
        f"chunk {row.ordinal}, {counted(row.rows, 'row')} between {files[first_file].name} line {first_line}"
        f" and {files[last_file].name} line {last_line}"
    )
    what = {
        ChunkState.FAILED: "its import failed, and its rows were not searched yet",
        ChunkState.UNKNOWN: "it is not known yet whether it arrived",
        ChunkState.SUBMITTED: "its import is not final yet",
        ChunkState.SENDING: "it was sent in part",
        ChunkState.UNSENT: "it was not sent",
    }.get(row.state)
    if what is None:
        counts = (("failed", row.failed), ("of unknown outcome", row.unknown), ("not sent any more", row.unsent))
        what = ", ".join(f"{counted(number, 'row')} {words}" for words, number in counts if number)
    return Problem(f"{what}: {row.message}" if row.message else what, where)


def go_on(stages: Stages) -> str:
    """Return the last line of the report: whether the run is open, and what to do next."""
    tally, state_dir = stages.tally, stages.context.ledger.state_dir
    code = tally.exit_code
    if tally.plan is not None and tally.refusal is None:
        apply = command("apply", stages.id.run, state_dir=state_dir)
        return f"To apply: {apply}" if tally.plan.changes else "Nothing would change."
    if tally.open:
        if guards := [one.guard for one in tally.problems if one.guard]:
            return f"The run is open: the next run of the job deals with it; if the guard is wrong: {_forced(stages, guards)}"
        finish = command("resume", stages.id.run, state_dir=state_dir)
        return f"The run is open: the next run of the job deals with it; to finish it now: {finish}"
    if tally.aside:
        # A line for each: the command at its end can be pasted.
        return "The run is closed. " + "\n".join(_of_file(name, count, stages) for name, count in tally.aside.items())
    undo = read_undo(stages.id.folder)
    if code is Exit.OK and undo is not None:
        return after_undo(undo)
    if code is Exit.OK and tally.skipped_files and not tally.intake.facts:
        return "Nothing is new: every file was confirmed by an earlier run; nothing was sent."
    if code is Exit.OK and (tally.intake.malformed or tally.intake.rejected):
        again = command("replay", stages.id.run, state_dir=state_dir)
        return f"All accepted rows are confirmed. Once the rejects are mended: {again}"
    if code is Exit.OK:
        return "All rows are confirmed."
    if tally.load.anything_sent:
        return "The run is closed."
    return "Nothing was sent."


def _forced(stages: Stages, guards: Sequence[str]) -> str:
    """Return the command that runs the same dumps with these guards overridden; `resume` would stop there again."""
    files = () if stages.id.own_files else (file.path for file in stages.id.files)
    limit = () if stages.id.limit is None else ("--limit", str(stages.id.limit))
    forced = (word for guard in guards for word in ("--force", guard))
    return job_command("run", stages.id.job, *files, *limit, *forced, state_dir=stages.context.ledger.state_dir)


def _of_file(name: str, count: int, stages: Stages) -> str:
    """Return what to do with one of the files of rows that are not confirmed."""
    path, state_dir = stages.id.folder.path / name, stages.context.ledger.state_dir
    undo = read_undo(stages.id.folder)
    if undo is not None:
        return f"{counted(count, 'row')} in {path}: undo again: {command('undo', undo['run'], state_dir=state_dir)}"
    again = job_command("run", stages.id.job, path, state_dir=state_dir)
    advice = {
        "failed.csv": f"mend, then run again: {again}",
        "unknown.csv": rest_of_add(stages.id.run, path, state_dir) if _adds(stages) else f"run again: {again}",
        "open.csv": f"remove what is no longer right, then run: {again}",
    }[name]
    # No full stop: it would become part of the last path when the command is pasted.
    return f"{counted(count, 'row')} in {path}: {advice}"


def rest_of_add(run: str, unknown: Path, state_dir: Path) -> str:
    """Return what to do about the rows of an `add` that may have arrived: only a person can look (data rule 40)."""
    return (
        f"remove those that Copernica has, then send the others: {command('replay', run, unknown, state_dir=state_dir)}"
    )


def _adds(stages: Stages) -> bool:
    return stages.id.job.target.action == "add"
