"""Load what is staged by the run's way, and by the other one where that may serve instead (wiring)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from pipeline.errors import Problem
from pipeline.guards import Watch
from pipeline.load.choice import HARM, Choice, refuses_imports
from pipeline.load.cut import Limits, cut
from pipeline.load.imports import Clock, Imports, ImportSettings
from pipeline.load.load_report import LoadReport
from pipeline.load.loop import Decisions, Loading, load
from pipeline.load.lost_imports import Settler
from pipeline.load.profiles.method import Profiles, ProfileSettings
from pipeline.load.readback import Terms
from pipeline.log import get_logger
from pipeline.model.chunk import Chunk
from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Rebuild
from pipeline.model.job import Job
from pipeline.report.failed import FailedWriter
from pipeline.report.progress import Advance
from pipeline.run.context import RunId, Site
from pipeline.stage.key_index import KeyIndex
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest

# A chunk of the per-profile way takes three or more calls a row, so it is smaller than an import: progress shows by chunks.
PROFILE_CHUNK_ROWS = 1000


@dataclass
class Loader:
    """Load one run: `choice` is the way it went in the end, `watch` what keeps an eye on its cost."""

    site: Site
    id: RunId
    manifest: Manifest
    watch: Watch
    choice: Choice = field(init=False)
    imports: int = 0

    def __post_init__(self) -> None:
        self.choice = self.site.choice

    def load(self, decisions: Decisions) -> LoadReport:
        """Cut the lanes into chunks and send them, the ledger always a step ahead of the wire."""
        sets, names = self.manifest.sets, [file.name for file in self.id.files]
        client, database = self.site.target.client, self.site.target.database
        failed = FailedWriter(self.id.folder.path / "failed.csv", sets.columns, names)
        profiles = Profiles(client, database, self._profile_settings(sets), failed, self.site.stop)
        imports = Imports(client, self._import_settings(), Clock(time.monotonic, self.site.stop.wait))
        with closing(failed), self.site.reporter.stage("load", self.manifest.staged.accepted) as advance:
            bar = Advance(advance)
            profiles.moved = bar.rows
            profiles.limits = _Limits(self.watch)
            past = self.site.ledger.chunks(self.id.run)
            unmatched = {row.ordinal: row.unmatched or 0 for row in past if row.way == "profiles"}
            profiles.go_on_from(unmatched, self.site.ledger.deleted(self.id.run))
            loading = Loading(
                run=self.id.run,
                ledger=self.site.ledger,
                way=profiles if self.choice.way == "profiles" else imports,
                imports=imports,
                settler=self._settler(sets),
                advance=bar.chunk,
                interrupted=self.site.stop.is_set,
                profiles=None if self.id.job.target.action == "add" else profiles,
                rebuilds=self.id.job.target.rebuild and self.choice.way == "imports",
                decisions=self._decisions(decisions),
                halt=lambda report: _text(self.watch.unmatched(report.unmatched or 0)),
            )
            report = self._load(loading, profiles)
        self.imports = imports.accepted
        return report

    def _load(self, loading: Loading, profiles: Profiles) -> LoadReport:
        """Load, fall back when imports are refused as a whole, and look once at what is unknown at the end."""
        if loading.way is profiles:
            self._warn_of_profiles(self.choice.reason)
            profiles.prepare()
        else:
            get_logger().info("way.imports", reason=self.choice.reason)
        report = load(self._chunks, loading)
        if report.refused and self.choice.falls_back and refuses_imports(report.stopped):
            self._warn_of_profiles(report.stopped)
            self.choice = Choice("profiles", report.stopped)
            self.watch.per_profile()
            self.site.ledger.fell_back(self.id.run, report.stopped)
            profiles.prepare()
            loading = replace(loading, way=profiles, rebuilds=False)
            report = load(self._chunks, loading)
        if report.chunks.get("unknown") and not (report.stopped or self.site.stop.is_set()):
            report = load(self._chunks, loading)
        return report

    def _warn_of_profiles(self, reason: str) -> None:
        get_logger().warning("way.profiles", reason=reason, warning=HARM)
        if self.id.job.target.rebuild:
            get_logger().warning("rebuild.not_possible", reason="only imports can rebuild selections")

    def _decisions(self, said: Decisions) -> Decisions:
        """Let the rows of failed imports go per profile where the job's mode is auto, never for `add` (data rule 25 d)."""
        if said.failed == "leave" and self.choice.falls_back and self.id.job.target.action != "add":
            return replace(said, failed="profiles")
        return said

    def rebuild(self, report: LoadReport) -> Rebuild:
        """Say what became of the rebuild that the last import carries (data rule 24).

        Where that import did not end confirmed, resuming a run with nothing else left gives it up.
        """
        if not self.id.job.target.rebuild or not self.manifest.staged.accepted:
            return Rebuild.NOT_ASKED
        if self.choice.way == "profiles":
            return Rebuild.NOT_POSSIBLE
        if report.rebuilt:
            return Rebuild.DONE
        return Rebuild.NOT_DONE if report.worked or not report.settled else Rebuild.GIVEN_UP

    def _chunks(self) -> Iterator[Chunk]:
        """Cut by the way that the run began with: the same chunks after falling back, and when it is gone on with."""
        words, sets = self.id.job.load, self.manifest.sets
        limits = Limits(words.chunk_rows, words.chunk_bytes)
        if self.id.cut_for == "profiles":
            limits = Limits(min(limits.rows, PROFILE_CHUNK_ROWS), limits.bytes)
        chunks = cut(Lanes(self.id.folder.staged / "lanes"), sets, self._keys, limits)
        return KeyIndex(self.id.folder.path).noting(chunks)

    @property
    def _keys(self) -> Keys:
        return Keys.of(self.id.job.target.key_fields)

    def _profile_settings(self, sets: Sets) -> ProfileSettings:
        target = self.id.job.target
        return ProfileSettings(
            run=self.id.run,
            action=target.action,
            keys=self._keys,
            sets=sets,
            ignore_empty_fields=target.ignore_empty_fields,
            on_several_matches=target.on_several_matches,
            delete_target=target.delete_target,
            workers=self.id.job.load.workers,
        )

    def _import_settings(self) -> ImportSettings:
        target = self.id.job.target
        return ImportSettings(
            run=self.id.run,
            database_id=self.site.target.database.id,
            action=target.action,
            ignore_empty_fields=target.ignore_empty_fields,
            followups=target.followups,
            rebuild=target.rebuild,
            poll=self.id.job.load.poll,
            delete_target=target.delete_target,
        )

    def _settler(self, sets: Sets) -> Settler:
        words, client = self.id.job.load, self.site.target.client
        terms = terms_of(self.site, self.id.job)
        return Settler(client, terms, sets, words.max_settle_calls, words.settle_after_s, client.server_now)


@dataclass(frozen=True)
class _Limits:
    """The watch as the per-profile method asks it."""

    watch: Watch

    def unmatched(self, rows: int) -> str:
        return _text(self.watch.unmatched(rows))

    def deletes(self, taken: Mapping[str, int], noun: str, records: int) -> str:
        return _text(self.watch.deletes(taken, noun, records))


def _text(problem: Problem | None) -> str:
    return "" if problem is None else problem.what


def terms_of(site: Site, job: Job) -> Terms:
    """Give what reading records back needs to know of the run."""
    target = job.target
    return Terms(
        site.target.database,
        site.target.live,
        Keys.of(target.key_fields),
        target.action,
        target.delete_target,
        target.ignore_empty_fields,
    )
