"""Retention: what runs have left goes when its time has come, and what is needed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import State
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Pruned, prune
from pipeline.state.run_records import RunEntry, RunState

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERSONAL = ("rejects.csv", "failed.csv", "unknown.csv", "open.csv")
OTHERS = ("run.json", "log.ndjson", "report.html")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(tmp_path)
    yield found
    found.close()


MakeRun = Callable[..., RunFolder]


@pytest.fixture
def make(ledger: Ledger) -> MakeRun:
    """Make a run of so many days ago, with a file of each kind in its folder."""

    def make_run(days: float, job: str = "shop", state: RunState = RunState.DONE, sha256: str = "abc") -> RunFolder:
        at = NOW - timedelta(days=days)
        folder = RunFolder.new(ledger.state_dir, job, at)
        file = SourceFile(Path("dump.csv"), "dump.csv", 0, 1, 1)
        ledger.begin(RunEntry(folder.run, job, "job.yaml", "{}", None, True, ()))
        ledger.found(folder.run, (file,))
        ledger.read(folder.run, [FileFacts(file, sha256, 1, 1, 0, 0, 0, 1, 1)])
        if state is not RunState.RUNNING:
            ledger.end(folder.run, state, {}, is_open=state is RunState.INCOMPLETE)
        ledger._db.execute(
            "UPDATE run SET started_at = ? WHERE id = ?", (at.isoformat(timespec="milliseconds"), folder.run)
        )
        for name in (*PERSONAL, *OTHERS, "before.sqlite", "created.csv"):
            (folder.path / name).write_text("x" * 100)
        return folder

    return make_run


def names(folder: RunFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()} if folder.path.exists() else set()


def test_files_with_values_go_after_their_days_and_the_record_stays(ledger: Ledger, make: MakeRun) -> None:
    """Rejects and the values from before have days of their own."""
    old, recent = make(31), make(29)
    found = prune(ledger, "shop", State(keep_before=60), NOW)
    assert names(old) == {*OTHERS, "before.sqlite", "created.csv"}
    assert names(recent) == {*PERSONAL, *OTHERS, "before.sqlite", "created.csv"}
    assert (found.rejects, found.before, found.runs, found.bytes) == (1, 0, 0, 400)
    assert ledger.run(old.run) is not None
    assert prune(ledger, "shop", State(keep_rejects=60), NOW).before == 1
    assert names(old) == set(OTHERS)


def test_a_run_goes_whole_after_its_days_but_not_what_it_has_confirmed(ledger: Ledger, make: MakeRun) -> None:
    """Folder and ledger; a dump that lies about for years is no new one."""
    old, refused, recent = make(401), make(401, state=RunState.REFUSED, sha256="def"), make(399, sha256="xyz")
    assert prune(ledger, "shop", State(), NOW).runs == 2
    assert (names(old), names(refused), ledger.run(old.run), ledger.files(old.run)) == (set(), set(), None, ())
    assert ledger.run(recent.run) is not None
    assert [ledger.loaded("shop", sha256, confirmed=True) for sha256 in ("abc", "def", "xyz")] == [
        old.run,
        None,
        recent.run,
    ]


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.INCOMPLETE])
def test_an_open_run_keeps_everything_until_it_is_closed(ledger: Ledger, make: MakeRun, state: RunState) -> None:
    """And is not overlooked afterwards, though later runs were pruned meanwhile."""
    still, later = make(500, state=state), make(450)
    prune(ledger, "shop", State(), NOW)
    assert len(names(still)) == 9
    assert names(later) == set()
    ledger._db.execute("UPDATE run SET state = 'done', is_open = 0 WHERE id = ?", (still.run,))
    prune(ledger, "shop", State(), NOW + timedelta(days=1))
    assert names(still) == set()


def test_only_the_runs_of_the_job_are_pruned(ledger: Ledger, make: MakeRun) -> None:
    """Each job has settings of its own."""
    mine, other = make(500), make(500, job="shop-other")
    prune(ledger, "shop", State(), NOW)
    assert (names(mine), len(names(other))) == (set(), 9)


def test_what_was_looked_at_is_not_looked_at_again(ledger: Ledger, make: MakeRun) -> None:
    """A past run costs nothing: a file that comes back by hand stays, until everything is looked at."""
    old = make(100)
    prune(ledger, "shop", State(), NOW)
    (old.path / "failed.csv").write_text("x")
    later = NOW + timedelta(days=2)
    assert prune(ledger, "shop", State(), later) == Pruned()
    assert prune(ledger, "shop", State(), later, whole=True).rejects == 1


def test_shorter_days_reach_back_and_a_broken_note_of_progress_starts_anew(ledger: Ledger, make: MakeRun) -> None:
    """The setting of today counts."""
    run = make(10)
    prune(ledger, "shop", State(), NOW)
    assert prune(ledger, "shop", State(keep_rejects=7), NOW).rejects == 1
    (ledger.state_dir / "retention.json").write_text("{")
    (run.path / "failed.csv").write_text("x")
    assert prune(ledger, "shop", State(keep_rejects=7), NOW).rejects == 1


def test_staged_rows_that_are_kept_go_when_their_time_has_come(ledger: Ledger, make: MakeRun) -> None:
    """Wherever they lie."""
    run = make(3)
    run.place_staged(ledger.state_dir / "elsewhere")
    (run.staged / "lanes").mkdir()
    run.end_staged(7, NOW)
    assert prune(ledger, "shop", State(), NOW + timedelta(days=6)).staged == 0
    assert run.staged.is_dir()
    assert prune(ledger, "shop", State(), NOW + timedelta(days=7)).staged == 1
    assert not run.staged.is_symlink()
    assert list((ledger.state_dir / "elsewhere").iterdir()) == []
