"""Two runs of a job, or on one database, never meet."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer

import pytest

from pipeline.errors import InterruptedRunError, JobError, LockedError
from pipeline.state.lock import Lock, Patience, database_lock, job_lock
from tests.support.command import call
from tests.support.places import ROOT
from tests.support.shop import Shop

# The winner of a race waits for its import until all others have come and gone.
LATE = [{"kind": "delay", "method": "POST", "path": "/v4/imports", "seconds": 3600}]


def start(shop: Shop, job: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a run from a working folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", os.path.relpath(job, folder), "--json", *words],
        cwd=folder,
        env={**os.environ, **shop.environment(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def raced(shop: Shop, runs: list[subprocess.Popen[str]]) -> list[tuple[int, dict[str, object], str]]:
    """Wait until one run is left, let its import start, and give how all have ended."""
    while len(left := [run for run in runs if run.poll() is None]) > 1:
        with suppress(subprocess.TimeoutExpired):
            left[0].wait(0.05)
    while not shop.posted() and any(run.poll() is None for run in runs):
        with suppress(subprocess.TimeoutExpired):
            left[0].wait(0.05)
    shop.sandbox.advance(3600)
    return [(run.returncode, json.loads(out), err) for run in runs for out, err in [run.communicate(timeout=120)]]


def test_of_eight_runs_of_one_job_from_two_folders_one_runs(shop: Shop) -> None:
    """The others exit 7 at once and say who holds the lock; one import is posted in all."""
    shop.dump("1,Delft")
    shop.sandbox.set_faults(LATE)
    elsewhere = shop.folder / "elsewhere"
    elsewhere.mkdir()
    runs = [start(shop, shop.folder / "job.yaml", folder) for folder in (shop.folder, elsewhere) * 4]
    found = raced(shop, runs)
    assert sorted(code for code, _, _ in found) == [0, 7, 7, 7, 7, 7, 7, 7], [err for _, _, err in found]
    winner = runs[[code for code, _, _ in found].index(0)]
    for code, document, err in found:
        if code == 7:
            assert f"(pid {winner.pid} on {socket.gethostname()} since 2" in err
            assert (document["status"], document["exit_code"]) == ("refused", 7)
    assert [entry["path"] for entry in shop.posted()] == ["/v4/imports"]


def test_of_two_jobs_on_one_database_with_state_folders_of_their_own_one_runs(shop: Shop) -> None:
    """The database's lock stands where all state folders of the user find it."""
    shop.dump("1,Delft")
    other = shop.folder / "other"
    other.mkdir()
    for name in ("schema.py", "dump.csv"):
        (other / name).write_bytes((shop.folder / name).read_bytes())
    words = (shop.folder / "job.yaml").read_text().replace("job: shop", "job: other")
    (other / "job.yaml").write_text(words)
    shop.sandbox.set_faults(LATE)
    found = raced(shop, [start(shop, folder / "job.yaml", folder, "--wait", "0") for folder in (shop.folder, other)])
    assert sorted(code for code, _, _ in found) == [0, 7], [err for _, _, err in found]
    assert "another run holds the lock of database 1 of 127.0.0.1 (pid " in "".join(err for _, _, err in found)
    assert len(shop.posted()) == 1


def test_a_run_that_meets_a_lock_sends_nothing_and_names_the_holder(shop: Shop) -> None:
    """Of the job: before anything is read or asked. Of the database: as soon as it is known."""
    shop.dump("1,Delft")
    with job_lock(shop.folder / ".copernica-import", "shop", Patience()):
        ran = shop.run()
    assert (ran.exit_code, ran.document["errors"][0]["do"]) == (
        7, "wait until it has ended, or let this one wait for it with --wait SECONDS",
    )  # fmt: skip
    assert f"job shop (pid {os.getpid()} on {socket.gethostname()} since " in ran.document["errors"][0]["what"]
    assert shop.sandbox.journal() == []
    history = call("runs", "shop", "--json", "--state-dir", shop.folder / ".copernica-import")
    assert [(one["status"], one["exit_code"]) for one in history.document["runs"]] == [("refused", 7)]
    with database_lock(shop.sandbox.api_url, 1, Patience(), shop.environment()):
        ran = shop.run(words=("--wait", "0"))
        assert ran.exit_code == 7
        assert shop.run(words=("--wait", "0.2")).exit_code == 7
    assert shop.posted() == []
    shop.done()


@pytest.mark.parametrize("of", ["job", "database"])
def test_a_run_waits_as_long_as_it_is_told(shop: Shop, of: str) -> None:
    """`--wait` takes the lock when the holder ends."""
    shop.dump("1,Delft")
    lock = (
        job_lock(shop.folder / ".copernica-import", "shop", Patience())
        if of == "job"
        else database_lock(shop.sandbox.api_url, 1, Patience(), shop.environment())
    )
    lock.__enter__()
    Timer(0.5, lock.__exit__, (None, None, None)).start()
    shop.done(words=("--wait", "60"))


def test_a_resume_meets_the_same_locks(shop: Shop) -> None:
    """A run and a resume of one job exclude each other; `resume --wait` waits."""
    shop.dump("1,Delft")
    lost = {"method": "POST", "path": "/v4/imports", "times": 1}
    shop.sandbox.set_faults([{"kind": "cut", **lost}, {"kind": "delay", "seconds": 3600, **lost}])
    assert shop.run("load.wait_s=0").exit_code == 6
    state = shop.folder / ".copernica-import"
    words = ("resume", "--state-dir", state)
    with job_lock(state, "shop", Patience()):
        assert call(*words, environment=shop.environment()).exit_code == 7
    lock = database_lock(shop.sandbox.api_url, 1, Patience(), shop.environment())
    lock.__enter__()
    assert call(*words, "--wait", "0", environment=shop.environment()).exit_code == 7
    Timer(0.3, lock.__exit__, (None, None, None)).start()
    shop.sandbox.advance(3700)  # the clock of the API host is known to the second, and the job waits for nothing
    assert shop.sandbox.settle()
    ran = call(*words, "--wait", "60", environment=shop.environment())
    assert ran.exit_code == 0, ran.stderr


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    """kill -9 frees it, whatever its file still says."""
    path = tmp_path / "x.lock"
    code = (
        "import sys; from pathlib import Path; from pipeline.state.lock import Lock\n"
        "with Lock(Path(sys.argv[1]), 'x'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"pid {holder.pid} on "), Lock(path, "x"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert f'"pid": {holder.pid}' in path.read_text()
    with Lock(path, "x"):
        assert f'"pid": {os.getpid()}' in path.read_text()
    assert path.read_text() == ""


def test_waiting_ends_with_an_interrupt(tmp_path: Path) -> None:
    """The first Ctrl-C sets the wish to stop; nothing was sent."""
    stop = Event()
    stop.set()
    with Lock(tmp_path / "x.lock", "x"), pytest.raises(InterruptedRunError):
        Lock(tmp_path / "x.lock", "x", Patience(60, stop)).__enter__()


def test_one_patience_is_for_all_locks(tmp_path: Path) -> None:
    """What one lock has taken is gone for the next."""
    patience = Patience(0.15)
    with Lock(tmp_path / "x.lock", "x"):
        for _ in range(2):
            with pytest.raises(LockedError):
                Lock(tmp_path / "x.lock", "x", patience).__enter__()
    assert not patience.wait()


def test_a_lock_is_private_and_named_after_host_port_and_database(tmp_path: Path) -> None:
    """No secret stands in the name, and the folder is 0700."""
    said = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with database_lock("https://API.copernica.com", 12, Patience(), said):
        (path,) = (tmp_path / "state").rglob("*.lock")
    assert path.relative_to(tmp_path / "state") == Path("copernica-import/locks/api.copernica.com-443-database-12.lock")
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    with database_lock("https://api.copernica.com:443/", 12, Patience(), said):
        assert len(list(path.parent.iterdir())) == 1


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be: exit 3, with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="the lock of x cannot be made"):
        Lock(tmp_path / "file" / "x.lock", "x").__enter__()
