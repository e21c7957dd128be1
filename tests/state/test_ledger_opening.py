"""Opening the ledger: what cannot be opened is answered with what helps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.model.chunk import Reason
from pipeline.model.row_state import RowState, Why
from pipeline.state.chunk_records import ChunkRow
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunEntry, RunState


def refusal(state_dir: Path) -> tuple[str, str]:
    """Open a ledger that cannot be opened; give what is said and advised."""
    with pytest.raises(JobError) as caught:
        Ledger(state_dir)
    (problem,) = caught.value.problems
    assert problem.where == str(state_dir / "ledger.sqlite")
    return problem.what, problem.do


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is there and can be written: only a backup helps, or doing without."""
    (tmp_path / "ledger.sqlite").write_bytes(b"garbage" * 300)
    what, do = refusal(tmp_path)
    assert what == "the ledger cannot be opened: file is not a database"
    assert do.startswith(
        "put it back from a backup, or move the state folder away: what was sent before is then not known"
    )


def test_a_damaged_database(tmp_path: Path) -> None:
    """One that was a ledger once."""
    Ledger(tmp_path).close()
    path = tmp_path / "ledger.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 3996 + whole[4096:])
    what, do = refusal(tmp_path)
    assert what == "the ledger cannot be opened: database disk image is malformed"
    assert do.startswith("put it back from a backup")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """Nothing is damaged."""
    (tmp_path / "ledger.sqlite").mkdir()
    assert refusal(tmp_path) == (
        "the ledger cannot be opened: unable to open database file",
        "make the state folder writable",
    )


def begun(ledger: Ledger, run: str, started_at: str) -> None:
    """Record a run that began at that time by the clock of the host."""
    ledger.begin(RunEntry(run, "shop", "job.yaml", "{}", None, own_files=True, forced=()))
    with closing(sqlite3.connect(ledger.state_dir / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET started_at = ? WHERE id = ?", (started_at, run))


def test_the_order_of_runs_does_not_go_by_the_clock(tmp_path: Path) -> None:
    """The clock of the host was set back an hour between two runs: the second is the newest all the same."""
    with closing(Ledger(tmp_path)) as ledger:
        begun(ledger, "first", "2026-11-21T03:00:00.000+00:00")
        begun(ledger, "second", "2026-11-21T02:05:00.000+00:00")
        assert [row.id for row in ledger.runs("shop")] == ["second", "first"]
        last = ledger.last("shop")
        assert last is not None
        assert last.id == "second"


def test_a_ledger_of_the_format_before_is_migrated(tmp_path: Path) -> None:
    """Format 3 had no number of runs: those that are there are numbered by their start, new ones come after them."""
    with closing(Ledger(tmp_path)) as ledger:
        begun(ledger, "later", "2026-11-20T03:00:00.000+00:00")
        begun(ledger, "earlier", "2026-11-19T03:00:00.000+00:00")
    older = (
        "DROP INDEX numbered_run", "DROP INDEX numbered_run_of_job", "DROP INDEX open_run", "DROP TABLE refused",
        "DROP TABLE refused_salt", "ALTER TABLE run DROP COLUMN number",
        "CREATE INDEX open_run ON run (started_at) WHERE is_open", "PRAGMA user_version=3",
    )  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection, connection:
        for statement in older:
            connection.execute(statement)
    with closing(Ledger(tmp_path)) as ledger:
        begun(ledger, "new", "2026-11-18T03:00:00.000+00:00")
        assert [row.id for row in ledger.runs()] == ["new", "later", "earlier"]
        assert ledger.refused("shop").hashes().is_empty()


def test_a_year_of_nights_of_a_million_rows_is_far_less_than_a_gigabyte(tmp_path: Path) -> None:
    """A night has a hundred chunks; measured are two of thirty, whose single rows are forgotten at the end."""
    chunks, nights = 30, 2
    with closing(Ledger(tmp_path)) as ledger:
        for night in range(nights):
            run = f"customers-2026112{night}T230000Z-1a2b"
            ledger.begin(
                RunEntry(run, "customers", "/etc/jobs/customers.yaml", "j" * 4000, None, own_files=True, forced=())
            )
            book = ledger.book(run)
            for number in range(1, chunks + 1):
                row = ChunkRow(number, number, 0, Reason.CUT, 0, 0, 10_000, "0" * 64, (0, 1), (0, 10_001), "imports")
                book.add(row)
                book.confirmed(book.submitted(book.sending(row, "imports"), number))
            ledger.rows_of(run, 1).set_aside(range(1000), RowState.FAILED, Why("refused_by_api", "", "x" * 100))
            ledger.staged(run, 1_000_000, is_open=True)
            ledger.end(run, RunState.DONE, {"run": run, "problems": ["x" * 100] * 20})
            ledger.prune_rows(run)
        ledger.shrink()
    size = sum(path.stat().st_size for path in tmp_path.glob("ledger.sqlite*"))
    assert size / nights * 100 / chunks * 400 < 200_000_000
