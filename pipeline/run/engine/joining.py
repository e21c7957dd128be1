"""Have the input read and checked in parts by other processes, and join their batches in file order (wiring)."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict, deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.errors import InputError, InterruptedRunError, Problem
from pipeline.extract import Refused, grouped
from pipeline.model.columns import LiveField
from pipeline.model.files import FileFacts
from pipeline.run.engine.check import Check, Taken
from pipeline.run.engine.parts import Outcome, Part, Work, has_batch, take_batch
from pipeline.run.engine.pools import Pool
from pipeline.run.engine.terms import Terms
from pipeline.run.engine.worker import take_part
from pipeline.run.prepare import PreparedJob
from pipeline.threads import Pool as Threads

# How often is looked for the next batch of a worker, and whether the run is to stop.
_LOOK_EVERY_S = 0.02
# A file that is longer than this share of what one worker has to read is cut: cutting means reading it twice.
_SHARE = 1.25


class InParts:
    """Read in other processes: files, and pieces of large plain ones, side by side; their batches are joined in file order."""

    def __init__(self, plan: PreparedJob, live: Mapping[str, LiveField] | None, terms: Terms, pool: Pool) -> None:
        Check(plan, live)  # what is wrong with the job is found before any process starts
        self._plan, self._live, self._terms, self._pool = plan, live, terms, pool
        self._extraction = plan.extraction()
        self._facts: dict[int, FileFacts] = {}
        self._refused: dict[int, tuple[Problem, ...]] = {}
        self.bytes_total = self._extraction.bytes_total
        self.bytes_read = 0
        self._whole_bytes = _SHARE * self.bytes_total / pool.width if pool.width else 0
        self._records: dict[int, int] = defaultdict(int)

    @property
    def facts(self) -> tuple[FileFacts, ...]:
        """Return what was found in each file."""
        return tuple(self._facts[at] for at in sorted(self._facts))

    def __iter__(self) -> Generator[Taken]:
        with self._exchange() as folder, Threads(1, "cut") as cutter:
            work = Work(self._plan.job, self._live, folder, self._terms.keeps_rows)
            line = _Line(self._parts(), work, cutter)
            while line.more:
                with self._pool.open() as (executor, width):
                    try:
                        line.begin_again(executor, 2 * width)
                        yield from self._worked(line)
                    except self._pool.lost as error:
                        line.attempts += 1
                        if line.attempts == self._pool.most_attempts:
                            raise InputError(self._pool.problem(error)) from None
        for at, facts in self._facts.items():
            # The pass that cuts counts objects, the pieces the rows that lists are laid out to.
            self._facts[at] = replace(facts, records=self._records[at])
        if self._refused:
            raise InputError(*grouped(one for at in sorted(self._refused) for one in self._refused[at]))

    def _worked(self, line: _Line) -> Iterator[Taken]:
        """Yield the batches of all parts; where the pool is lost, `line` has those that are left for another."""
        try:
            while line.fill():
                for taken in self._arriving(line):
                    if not self._refused:
                        yield taken
                self._done(*line.end_first())
        finally:
            line.cancel()

    def _arriving(self, line: _Line) -> Iterator[Taken]:
        """Yield the batches of the first part, but for those that came before its pool was lost.

        Those of processes of this machine are taken while the part is read; a file of another machine may show late, so
        that it is looked for only when it is known to be there.
        """
        part, future = line.waiting[0]
        while not future.done() or line.taken < future.result().batches:
            if self._terms.stop is not None and self._terms.stop.is_set():
                raise InterruptedRunError(Problem("interrupted while the input was read", do="nothing was sent"))
            early = self._pool.width and has_batch(line.work.folder, part.number, line.taken)
            if early or (future.done() and line.taken < future.result().batches):
                line.taken += 1
                yield take_batch(line.work.folder, part.number, line.taken - 1)
            else:
                wait([future], _LOOK_EVERY_S)
                line.fill()

    def _done(self, part: Part, outcome: Outcome) -> None:
        self._records[part.file.index] += outcome.records
        self._facts.update({facts.file.index: facts for facts in outcome.facts})
        self._refuse(part, outcome)
        self.bytes_read += part.size_bytes

    def _refuse(self, part: Part, outcome: Outcome) -> None:
        """Keep why a file is refused; one that was cut is read again as a whole, so that each cause is named once."""
        at = part.file.index
        if not outcome.problems or at in self._refused:
            return
        if part.piece is None:
            self._refused[at] = outcome.problems
            return
        whole = self._plan.extraction()
        for _ in whole.read(part.file):
            pass
        self._refused[at] = whole.problems or outcome.problems

    def _parts(self) -> Iterator[Part]:
        """Cut the input; a file that proves to be refused meanwhile has no more parts."""
        number = 0
        for file in self._plan.files:
            cutting = self._extraction.cutting(file)
            try:
                whole = True
                for piece in cutting if file.size_bytes > self._whole_bytes else ():
                    whole = False
                    yield Part(number, file, piece)
                    number += 1
                if cutting.facts is not None:
                    self._facts[file.index] = cutting.facts
            except Refused as refused:
                self._refused[file.index] = refused.problems
                continue
            if whole:
                yield Part(number, file)
                number += 1

    @contextmanager
    def _exchange(self) -> Iterator[Path]:
        """Make a private folder for batches that goes with the reading: the run's, else one of staged or temporary files."""
        folder = self._terms.folder
        if folder is None:
            beside = self._plan.job.staged_dir
            if beside is not None:
                beside.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="copernica-import-", dir=beside))
        folder = folder.absolute()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Line:
    """The parts in order: those that are worked on, and the one that a thread is cutting off meanwhile."""

    def __init__(self, parts: Iterator[Part], work: Work, cutter: Threads) -> None:
        self.waiting: deque[tuple[Part, Future[Outcome]]] = deque()
        self.work, self.attempts = work, 0
        self.taken = 0  # batches of the first part
        self._parts, self._cutter = parts, cutter
        self._executor: Executor
        self._most: int
        self._made: Future[Part | None] | None = cutter.submit(next, parts, None)

    @property
    def more(self) -> bool:
        """Return whether parts are left."""
        return self._made is not None or bool(self.waiting)

    def begin_again(self, executor: Executor, most: int) -> None:
        """Submit what was under way to another executor, which takes up to `most` parts."""
        self._executor, self._most = executor, most
        self.waiting = deque((part, self._submitted(part)) for part, _ in self.waiting)

    def fill(self) -> bool:
        """Submit what was cut off, waiting for the cutter only where nothing is worked on; returns whether anything is."""
        while self._made is not None and len(self.waiting) < self._most and (self._made.done() or not self.waiting):
            part = self._made.result()
            self._made = None if part is None else self._cutter.submit(next, self._parts, None)
            if part is not None:
                self.waiting.append((part, self._submitted(part)))
        return bool(self.waiting)

    def _submitted(self, part: Part) -> Future[Outcome]:
        return self._executor.submit(take_part, self.work, part)

    def end_first(self) -> tuple[Part, Outcome]:
        """Take the first part out when it is done, and return what was found in it; raises what its worker raised."""
        part, future = self.waiting[0]
        outcome = future.result()
        self.waiting.popleft()
        self.attempts = self.taken = 0
        return part, outcome

    def cancel(self) -> None:
        """Take back what has not begun."""
        for _, future in self.waiting:
            future.cancel()
