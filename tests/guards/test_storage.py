"""A full disk and a state folder that cannot be written are clear errors with the right exit code."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import Exit
from pipeline.state.storage import StorageError, StorageStoppedError, storage_faults
from tests.support.command import Ran, call
from tests.support.nights import leaping
from tests.support.places import ROOT
from tests.support.shop import Shop

# A disk that takes no file above some bytes: what the kernel answers then (EFBIG) ends a write as ENOSPC does.
SMALL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from pipeline.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def run_on_small_disk(shop: Shop, most_bytes: int, *words: str) -> Ran:
    """Run the job in a process whose files cannot grow beyond some bytes."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(most_bytes), *words, "--json"],
        cwd=ROOT,
        env={**os.environ, **shop.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr, json.loads(done.stdout))


def resume(shop: Shop) -> Ran:
    return call("resume", "--state-dir", shop.folder / ".copernica-import", environment=shop.environment())


def test_a_disk_that_is_full_while_rows_are_staged_is_exit_3_and_the_next_run_sends_all(shop: Shop) -> None:
    """Nothing was sent and nothing is open; with room again the next run does it all."""
    shop.dump(*(f"{number},{'Delft' * 9}" for number in range(20_000)))
    ran = run_on_small_disk(shop, 400_000, "run", str(shop.folder / "job.yaml"))
    assert (ran.exit_code, ran.document["status"]) == (3, "refused"), ran.stderr
    (error,) = ran.document["errors"]
    assert error["what"] == "the state folder cannot be written: File too large"
    assert error["where"] == str(shop.folder / ".copernica-import")
    assert shop.posted() == []
    again = shop.done()
    assert again.records["confirmed"] == 20_000


def test_a_disk_that_is_full_while_rejects_are_written_is_exit_3(shop: Shop) -> None:
    """The rejects file counts as much as staged rows."""
    shop.dump(*(f",{'Delft' * 9}" for _ in range(20_000)), "1,Delft")
    words = ("run", str(shop.folder / "job.yaml"), "--set", "guards.max_rejects=100%")
    ran = run_on_small_disk(shop, 400_000, *words)
    assert (ran.exit_code, ran.document["errors"][0]["what"]) == (
        3, "the state folder cannot be written: File too large",
    )  # fmt: skip
    assert shop.posted() == []


def test_a_disk_that_fills_part_way_is_exit_6_and_what_was_confirmed_is_counted(shop: Shop) -> None:
    """The ledger has no room for another step, so nothing more is sent; resume doubles nothing."""
    shop.dump(*(f"{number},Delft" for number in range(60)))
    words = ("--set", "load.chunk_rows=1", "--set", "target.action=add", "--set", "load.poll.first_s=0")
    ran = run_on_small_disk(shop, 300_000, "run", str(shop.folder / "job.yaml"), *words)
    assert (ran.exit_code, ran.document["status"]) == (6, "incomplete"), ran.stderr
    assert "the state folder cannot be written" in ran.stderr
    confirmed = ran.records["confirmed"]
    assert 0 < confirmed < 60
    assert ran.records["accepted"] == confirmed + ran.records["unsent"] + ran.records["unknown"]
    assert len(shop.posted()) - 1 <= confirmed <= len(shop.posted())
    with leaping(shop.sandbox):  # the last import may have been sent without its answer on disk
        again = resume(shop)
    assert again.exit_code == 0, again.stderr
    assert sorted(shop.numbers(), key=int) == [str(number) for number in range(60)]


@pytest.mark.parametrize("state", ["file/below", "/proc/no/such"])
def test_a_state_folder_that_cannot_be_written_is_exit_3(shop: Shop, state: str) -> None:
    """One clear error before anything is read or asked."""
    shop.dump("1,Delft")
    shop.write("file", "")
    where = str(shop.folder / state)
    ran = shop.run(words=("--state-dir", where))
    assert (ran.exit_code, len(ran.document["errors"])) == (3, 1)
    assert ran.document["errors"][0]["where"].startswith(where)
    assert shop.sandbox.journal() == []


def test_a_ledger_that_is_no_file_is_exit_3(shop: Shop) -> None:
    """A folder in its place cannot be opened."""
    shop.dump("1,Delft")
    (shop.folder / ".copernica-import" / "ledger.sqlite").mkdir(parents=True)
    ran = shop.run()
    assert (ran.exit_code, len(ran.document["errors"])) == (3, 1)
    assert shop.sandbox.journal() == []


def test_what_polars_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    """Its error has the number in the text only."""
    with pytest.raises(StorageError, match="No space left on device") as caught, storage_faults(tmp_path):
        pl.DataFrame({"a": ["x"] * 100_000}).write_ipc("/dev/full", compression="uncompressed")
    assert caught.value.exit_code is Exit.JOB


def test_after_something_was_sent_it_is_exit_6(tmp_path: Path) -> None:
    """The run can be gone on with, and the advice says how."""
    stopped = pytest.raises(StorageStoppedError, match="then resume goes on")
    with stopped as caught, storage_faults(tmp_path, lambda: True):
        (tmp_path / "none" / "file").write_text("")
    assert caught.value.exit_code is Exit.INCOMPLETE


def test_a_ledger_that_cannot_be_asked_counts_as_sent(tmp_path: Path) -> None:
    """Where it is not known whether anything was sent, it may have been."""
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    connection.close()

    def broken() -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(StorageStoppedError), storage_faults(tmp_path, broken):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), OSError("no number"), ValueError("bug")])
def test_what_is_no_fault_of_the_disk_passes(tmp_path: Path, error: Exception) -> None:
    """A bug shall look like one."""
    with pytest.raises(type(error)) as caught, storage_faults(tmp_path):
        raise error
    assert caught.value is error


def test_a_wrong_statement_is_a_bug(tmp_path: Path) -> None:
    """SQLite calls it an OperationalError, too."""
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    try:
        with pytest.raises(sqlite3.OperationalError), storage_faults(tmp_path):
            connection.execute("SELECT * FROM nowhere")
        connection.execute("PRAGMA query_only=1")
        with pytest.raises(StorageError, match="readonly"), storage_faults(tmp_path):
            connection.execute("CREATE TABLE t (a)")
    finally:
        connection.close()


def test_a_file_that_is_damaged_while_it_is_used_is_no_bug(tmp_path: Path) -> None:
    """SQLite finds out when it comes to the torn page, by the bare class of its errors; what is ours passes."""
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE a (b TEXT)")
    connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 100)
    connection.commit()
    connection.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    connection = sqlite3.connect(path)
    try:
        with (
            pytest.raises(StorageError, match="a file of the state folder is damaged") as caught,
            storage_faults(tmp_path),
        ):
            connection.execute("SELECT count(b) FROM a WHERE b > ''").fetchone()
        with pytest.raises(sqlite3.ProgrammingError), storage_faults(tmp_path):
            connection.execute("SELECT ?", ())
    finally:
        connection.close()
    assert "backup" in caught.value.problems[0].do
