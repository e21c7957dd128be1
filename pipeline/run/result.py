"""Keep the account of one run while it goes, stage by stage (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.errors import AccountingError, Exit, PipelineError, Problem
from pipeline.load.load_report import LoadReport
from pipeline.model.counts import Intake, Rebuild, Staged, Verified
from pipeline.model.files import SourceFile
from pipeline.report.summary import Records, Status
from pipeline.run.plan.plan import Planned

# What these say of a run is no longer true once rows were sent.
_NOTHING_SENT = (Exit.JOB, Exit.INPUT, Exit.API)


@dataclass
class Tally:
    """What the summary tells of a run; each part is filled by its stage.

    `skipped_files` were confirmed before (`only_new`), `halts` are the words of guards that stopped it on its way.
    """

    intake: Intake = field(default_factory=Intake)
    staged: Staged = field(default_factory=Staged)
    load: LoadReport = field(default_factory=LoadReport)
    verified: Verified = field(default_factory=Verified)
    rebuild: Rebuild = Rebuild.NOT_ASKED
    refusal: PipelineError | None = None
    problems: list[Problem] = field(default_factory=list)
    skipped_files: tuple[SourceFile, ...] = ()
    halts: frozenset[str] = frozenset()
    # What a plan found, where nothing is to be sent; rows that `apply` need not send.
    plan: Planned | None = None
    unchanged: int = 0
    # Rows of a plan that are not applied: several matches, not checked, changed since.
    left: int = 0

    def check(self) -> None:
        """Compare the first sum of data rule 2, before anything is sent; one that is off is a bug."""
        intake, staged = self.intake, self.staged
        if intake.read != intake.malformed + intake.rejected + staged.collapsed + staged.accepted:
            raise AccountingError(
                Problem(
                    f"{intake.read} records were read, but {intake.malformed} malformed, {intake.rejected} rejected,"
                    f" {staged.collapsed} collapsed and {staged.accepted} accepted ones were counted",
                    do="nothing was sent; please report this with the run's log",
                )
            )

    @property
    def records(self) -> Records:
        """Give the counts of data rules 2 and 3; `unsent` are rows not sent, held, or sent and not yet final."""
        rows = self.load.rows
        confirmed, failed, unknown = (rows.get(ending, 0) for ending in ("confirmed", "failed", "unknown"))
        return Records(
            read=self.intake.read,
            malformed=self.intake.malformed,
            rejected=self.intake.rejected,
            rejected_by_target=self.intake.rejected_by_target,
            collapsed=self.staged.collapsed,
            accepted=self.staged.accepted,
            superseded=self.staged.superseded,
            profile_conflicts=self.staged.conflicts,
            confirmed=confirmed,
            failed=failed,
            unknown=unknown,
            unmatched=self.load.unmatched,
            unchanged=self.unchanged,
            unsent=self.load.unsent(self.staged.accepted - self.unchanged - self.left) + self.left,
        )

    @property
    def all_confirmed(self) -> bool:
        """Say whether every accepted row is confirmed."""
        return self.refusal is None and (self.load.rows.get("confirmed", 0) + self.unchanged == self.staged.accepted)

    @property
    def exit_code(self) -> Exit:
        """Say how the run ended; what stops it once rows were sent leaves it incomplete, whatever it was."""
        if self.refusal is not None:
            code = self.refusal.exit_code
            return Exit.INCOMPLETE if code in _NOTHING_SENT and self.load.anything_sent else code
        if self.plan is not None:
            return Exit.OK
        if self.load.interrupted and not self.all_confirmed:
            return Exit.INTERRUPTED
        if self.load.stopped and not self.load.anything_sent:
            return Exit.API
        if not self.all_confirmed or self.verified.different or self.problems or self.rebuild is Rebuild.NOT_DONE:
            return Exit.INCOMPLETE
        return Exit.OK

    @property
    def status(self) -> Status:
        """Say how the run ended, in the summary's words."""
        if self.plan is not None and self.refusal is None:
            return "planned"
        words: dict[Exit, Status] = {Exit.OK: "done", Exit.INCOMPLETE: "incomplete", Exit.INTERRUPTED: "interrupted"}
        return words.get(self.exit_code, "refused")
