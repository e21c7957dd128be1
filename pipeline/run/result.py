"""Keep the account of one run while it goes, stage by stage (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import AccountingError, Exit, InterruptedRunError, LockedError, PipelineError, Problem
from pipeline.load.load_report import LoadReport
from pipeline.model.counts import Intake, Rebuild, Staged, Verified
from pipeline.model.files import SourceFile
from pipeline.model.outcome import StopCode
from pipeline.report.summary import Records, Status
from pipeline.state.storage import StorageError, StorageStoppedError

if TYPE_CHECKING:
    from pipeline.run.plan.plan import Planned

# These no longer describe a run once rows were sent.
_NOTHING_SENT = (Exit.JOB, Exit.INPUT, Exit.API)


@dataclass
class Tally:
    """What the summary has of a run; each part is filled by its stage.

    `skipped_files` were confirmed before (`only_new`). `closed` means that a person or a later run has closed it; `aside`
    counts the rows in failed.csv, unknown.csv and open.csv.
    """

    intake: Intake = field(default_factory=Intake)
    staged: Staged = field(default_factory=Staged)
    load: LoadReport = field(default_factory=LoadReport)
    verified: Verified = field(default_factory=Verified)
    rebuild: Rebuild | None = None
    refusal: PipelineError | None = None
    problems: list[Problem] = field(default_factory=list)
    skipped_files: tuple[SourceFile, ...] = ()
    # What a plan found, where nothing is to be sent; rows that need not be sent.
    plan: Planned | None = None
    unchanged: int = 0
    # Rows whose profile another row brings.
    stood_for: int = 0
    gone: int | None = None
    # Rows of a plan that are not applied: several matches, not checked, changed since.
    left: int = 0
    closed: bool = False
    aside: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Compare the first sum of data rule 2, before anything is sent; one that is off is a bug."""
        intake, staged = self.intake, self.staged
        if intake.read != intake.malformed + intake.rejected + staged.collapsed + staged.accepted:
            what = (
                f"{intake.read} records were read, but {intake.malformed} malformed, {intake.rejected} rejected,"
                f" {staged.collapsed} collapsed and {staged.accepted} accepted ones were counted"
            )
            raise AccountingError(Problem(what, do="nothing was sent; please report this with the run's log"))

    @property
    def records(self) -> Records:
        """Return the counts of data rules 2 and 3; `unsent` are rows not sent, held, or sent and not yet final."""
        load = self.load if self.load.accepted else LoadReport(self.to_send)
        return Records(
            read=self.intake.read,
            malformed=self.intake.malformed,
            rejected=self.intake.rejected,
            rejected_by_target=self.intake.rejected_by_target,
            collapsed=self.staged.collapsed,
            accepted=self.staged.accepted,
            superseded=self.staged.superseded,
            profile_conflicts=self.staged.conflicts,
            confirmed=load.confirmed + (self.stood_for if self.all_confirmed else 0),
            failed=load.failed,
            unknown=load.unknown,
            unmatched=load.unmatched,
            unchanged=self.unchanged,
            unsent=load.unsent + self.left + (0 if self.all_confirmed else self.stood_for),
        )

    @property
    def all_confirmed(self) -> bool:
        """Return whether every accepted row is confirmed."""
        at_home = self.unchanged + self.stood_for
        return self.refusal is None and self.load.confirmed + at_home == self.staged.accepted

    @property
    def to_send(self) -> int:
        """Return how many of the accepted rows are to be sent."""
        return self.staged.accepted - self.unchanged - self.stood_for - self.left

    @property
    def open(self) -> bool:
        """Return whether time or another attempt can still change what became of a row.

        What was refused before the first send is closed, unless it was something that passes.
        """
        if self.closed or self.plan is not None or not self.load.accepted or not self.load.open:
            return False
        if self.load.anything_sent:
            return True
        passes = self.load.stop is not None and self.load.stop.passing
        return passes or isinstance(
            self.refusal, LockedError | InterruptedRunError | StorageStoppedError | StorageError
        )

    @property
    def exit_code(self) -> Exit:
        """Return how the run ended; what stops it once rows were sent leaves it incomplete, whatever it was."""
        stop, sent = self.load.stop, self.load.anything_sent
        if self.refusal is not None:
            code = self.refusal.exit_code
            return Exit.INCOMPLETE if code in _NOTHING_SENT and sent else code
        if self.plan is not None:
            return Exit.OK
        if stop is not None and stop.code is StopCode.INTERRUPTED and not self.all_confirmed:
            return Exit.INTERRUPTED
        if stop is not None and not sent and stop.code is not StopCode.WAITING:
            return Exit.API
        if not self.all_confirmed or self.verified.different or self.rebuild is Rebuild.NOT_DONE or self._passed:
            return Exit.INCOMPLETE
        return Exit.OK

    @property
    def _passed(self) -> bool:
        """Return whether a limit was passed with the last rows, so that nothing was left to be stopped (data rule 35)."""
        return any(problem.guard in ("max_unmatched", "max_deletes") for problem in self.problems)

    @property
    def status(self) -> Status:
        """Return how the run ended, in the summary's words."""
        if self.plan is not None and self.refusal is None:
            return "planned"
        words: dict[Exit, Status] = {
            Exit.OK: "done",
            Exit.INCOMPLETE: "incomplete",
            Exit.LOCKED: "incomplete",
            Exit.INTERRUPTED: "interrupted",
        }
        return words.get(self.exit_code, "refused")
