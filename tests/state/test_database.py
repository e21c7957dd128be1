"""The connection that threads share: what is on disk when, and what a failure leaves."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import RLock, Thread

import pytest

from pipeline.state.database import SharedDatabase
from pipeline.state.files import write_whole
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunState
from tests.state.test_ledger import RUN, VERBS, entry

# A disk on which no file grows beyond 1,000 bytes.
SMALL_DISK = """
import resource, sys
from pathlib import Path
from pipeline.state.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_whole(Path(sys.argv[1]), b"new" * 1000)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SharedDatabase]:
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE a (b INTEGER PRIMARY KEY)")
    yield SharedDatabase(connection, RLock())
    connection.close()


def rows(tmp_path: Path) -> list[int]:
    """Read what another process would."""
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    try:
        return [one for (one,) in connection.execute("SELECT b FROM a ORDER BY b")]
    finally:
        connection.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(
    database: SharedDatabase, tmp_path: Path
) -> None:
    """Whatever it fails of."""

    def insert(numbers: tuple[int, ...], error: type[BaseException]) -> None:
        with database.transaction():
            database.executemany("INSERT INTO a VALUES (?)", [(number,) for number in numbers])
            raise error

    with pytest.raises(sqlite3.IntegrityError):
        insert((1, 1), ValueError)
    with pytest.raises(KeyboardInterrupt):
        insert((2, 3), KeyboardInterrupt)
    assert rows(tmp_path) == []
    with database.transaction():
        database.execute("INSERT INTO a VALUES (4)")
        assert rows(tmp_path) == []
    assert rows(tmp_path) == [4]


def test_transactions_of_threads_do_not_mix(database: SharedDatabase, tmp_path: Path) -> None:
    """What one thread takes back takes nothing of another with it."""

    def insert(number: int) -> None:
        try:
            with database.transaction():
                database.execute("INSERT INTO a VALUES (?)", (number,))
                if number % 2:
                    raise ValueError
        except ValueError:
            pass

    threads = [Thread(target=insert, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(tmp_path) == list(range(0, 20, 2))


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_the_ledger_is_synced_at_each_verb(tmp_path: Path, verb: str | None) -> None:
    """Invariant 7: what was recorded before a request outlives a power cut during it (WAL, synchronous=FULL)."""
    ledger = Ledger(tmp_path)
    try:
        ledger.begin(entry())
        if verb is not None:
            if verb in ("resumed", "applied"):
                ledger.end(RUN, RunState.PLANNED, {}, is_open=True)
            VERBS[verb](ledger)
        asked = [ledger._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert asked == ["wal", 2]
    finally:
        ledger.close()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """The disk is full in the middle: what stood there stays; with room again it is written, and nothing else is left."""
    path = tmp_path / "run.json"
    write_whole(path, b"old")
    failed = subprocess.run([sys.executable, "-c", SMALL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert "File too large" in failed.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"new", [path])
