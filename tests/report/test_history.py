"""`runs` and `status` show what happened, at once, also of a thousand runs and of one that was killed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command import call, call_plain
from tests.support.shop import Shop

LISTS = {"files", "set_aside", "problems", "errors", "forced"}


def ledger_of(shop: Shop) -> Path:
    return Path(shop.state) / "ledger.sqlite"


@pytest.fixture
def ran(shop: Shop) -> Shop:
    shop.dump("1,Ede", "2,Epe", ",Elst")
    shop.run("guards.max_rejects=2")
    return shop


def test_a_run_is_a_line_with_its_counts_and_exit_code(ran: Shop):
    """When, job, verdict, exit code, read, rejected, unchanged, confirmed, seconds, calls."""
    text = call_plain("runs", "--state-dir", ran.state).stdout
    head, line = text.splitlines()
    assert head.split() == [
        "when", "(UTC)", "job", "verdict", "exit", "read", "rejected", "unchanged", "confirmed", "seconds", "calls", "run",
    ]  # fmt: skip
    assert line.split()[2:9] == ["shop", "done", "0", "3", "1", "0", "2"]


def test_the_document_has_the_summaries_without_lists(ran: Shop):
    """`{runs: [...]}`, newest first, each with its exit code."""
    ran.run("guards.max_rejects=0")
    document = ran.ask("runs").document
    assert list(document) == ["runs"]
    assert [(one["status"], one["exit_code"], one["records"]["read"]) for one in document["runs"]] == [
        ("refused", 4, 3),
        ("done", 0, 3),
    ]
    assert not any(isinstance(value, list) for one in document["runs"] for value in one.values())
    assert LISTS.isdisjoint(document["runs"][0])


def test_runs_of_one_job_are_named_by_its_file_or_its_name(ran: Shop):
    """The state folder is the one beside the job file."""
    ran.run("job=other", "guards.max_rejects=2")
    by_name = ran.ask("runs", "other").document["runs"]
    by_file = call("runs", ran.job).document["runs"]
    assert [one["job"] for one in by_name] == ["other"]
    assert [one["job"] for one in by_file] == ["shop"]
    assert ran.ask("runs", "nobody").document == {"runs": []}


def test_a_run_that_was_killed_is_interrupted_and_open(ran: Shop):
    """The ledger still has it as running; nobody holds its lock."""
    with closing(sqlite3.connect(ledger_of(ran))) as db, db:
        db.execute("UPDATE run SET state = 'running', is_open = 1, summary = NULL, ended_at = NULL")
    (one,) = ran.ask("runs").document["runs"]
    assert (one["status"], one["open"], one["exit_code"]) == ("interrupted", True, None)
    assert (one["records"]["accepted"], one["records"]["confirmed"]) == (2, 2)
    text = call_plain("status", "--state-dir", ran.state).stdout
    assert text.startswith("shop: interrupted, still open: ")
    assert f" resume {one['run']} --state-dir {ran.state}" in text.splitlines()[-1]


def test_watch_ends_with_the_run(ran: Shop):
    """A run that has ended is shown once; with --json that is one document."""
    found = ran.ask("status", "--watch")
    assert (found.exit_code, found.document["status"], found.document["chunk_list"][0]["state"]) == (
        0,
        "done",
        "confirmed",
    )


@pytest.mark.parametrize("words", [["runs"], ["status"], ["runs", "shop"]])
def test_a_thousand_runs_are_shown_without_polars(ran: Shop, words: list[str]):
    """With a summary and a structure in each, and nothing heavy loaded for it."""
    with closing(sqlite3.connect(ledger_of(ran))) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(run)")]
        others = ", ".join(columns[1:])
        for at in range(1000):
            db.execute(f"INSERT INTO run (id, {others}) SELECT id || ?, {others} FROM run LIMIT 1", (f"-{at}",))
    code = (
        "import sys; from pipeline.__main__ import main; exit = main(sys.argv[1:]);"
        "print([name for name in ('polars', 'pandera', 'requests') if name in sys.modules], file=sys.stderr); sys.exit(exit)"
    )
    words = [sys.executable, "-c", code, *words, "--state-dir", str(ran.state), "--json"]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    if words[3] == "runs":
        assert len(json.loads(done.stdout)["runs"]) == 1001
