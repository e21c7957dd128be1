"""A real Dask cluster of two workers reads the input as one process does; what is lost, or is another version, is named."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engine.test_processes import IN_CHILD, _shop, _state_of, _write_dumps
from tests.support.command import call
from tests.support.job import job_text
from tests.support.journey import Sandboxes
from tests.support.shop import JOB, SCHEMA

pytestmark = [
    pytest.mark.usefixtures("sockets"),
    # Found, not imported: whoever only collects the tests does not wait for it.
    pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra dask"),
]

SECRET = "secret-of-this-test"


@dataclass
class Grid:
    """A scheduler and its workers, each a process."""

    folder: Path
    address: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, until: str, **environment: str) -> str:
        """Start one and wait for a line of its log; returns the rest of that line."""
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env={**os.environ, "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s", **environment},
        )  # fmt: skip
        self.processes.append(process)
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            found = re.search(until, line)
            if found:
                return found[found.lastindex or 0]
        raise AssertionError("".join(seen))

    def worker(self, **environment: str) -> subprocess.Popen[str]:
        """Start a worker with one thread and see that it is registered."""
        words = (
            "distributed.cli.dask_worker",
            self.address,
            "--nthreads",
            "1",
            "--nworkers",
            "1",
            "--no-nanny",
            "--no-dashboard",
        )
        self.start(*words, "--local-directory", str(self.folder), until="Registered to:", **environment)
        return self.processes[-1]

    def end(self) -> None:
        """End all."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    """Start a scheduler on a free port of this machine."""
    folder = tmp_path / "grid"
    folder.mkdir()
    grid = Grid(folder)
    try:
        words = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        grid.address = grid.start(*words, until=r"Scheduler at:\s*(tcp://\S+)")
        yield grid
    finally:
        grid.end()


def test_a_cluster_that_loses_a_worker_leaves_the_same(grid: Grid, sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Staged rows byte for byte, rejects, counts, database; and no token has travelled."""
    found = []
    for engine in ({"engine.processes": 1}, {"engine.dask": grid.address}):
        shop = _shop(sandboxes, tmp_path / f"shop{len(found)}", **{"state.keep_staged": "7d", **engine})
        _write_dumps(shop.folder)
        if found:
            # The first worker that gets a part dies of it.
            die = (
                '    import pickle\nif "DOOMED" in os.environ and not (here / "died").exists():\n'
                '    (here / "died").touch()\n    os.kill(os.getpid(), 9)\n'
                'if "WORKER" in os.environ:\n    (here / "token").write_text(os.environ.get("COPERNICA_TOKEN", ""))\n'
            )
            shop.write("schema.py", (shop.folder / "schema.py").read_text() + IN_CHILD + die)
            doomed = grid.worker(DOOMED="1")
            grid.worker(WORKER="1")
        ran = shop.call("run", shop.folder / "job.yaml")
        assert ran.exit_code == 0, ran.stderr
        found.append(_state_of(shop, ran))
    assert doomed.wait(10) == -signal.SIGKILL
    assert (shop.folder / "token").read_text() == ""
    assert found[1] == found[0]


def _validate(folder: Path, address: str, schema: str = "") -> tuple[int, str]:
    (folder / "schema.py").write_text(SCHEMA + schema)
    (folder / "job.yaml").write_text(job_text(JOB, {"source.files": ["d.csv"], "engine.dask": address}))
    (folder / "d.csv").write_text("Nr,City\n1,x\n")
    ran = call("validate", folder / "job.yaml")
    return ran.exit_code, "\n".join(f"{one['what']} | {one['do']}" for one in ran.document.get("errors", ()))


def test_a_scheduler_that_dies_is_an_error(grid: Grid, tmp_path: Path) -> None:
    """Before anything is sent; the run does not wait for it."""
    grid.worker(SCHEDULER=str(grid.processes[0].pid))
    kill = '\nimport os\nif "SCHEDULER" in os.environ:\n    os.kill(int(os.environ["SCHEDULER"]), 9)\n'
    exit_code, said = _validate(tmp_path, grid.address, kill)
    assert exit_code == 4, said
    assert "the cluster was lost while it read the dumps" in said
    assert "nothing was sent" in said


def test_no_scheduler_and_no_workers_are_errors(grid: Grid, tmp_path: Path) -> None:
    exit_code, said = _validate(tmp_path, grid.address)
    assert (exit_code, said) == (3, f"the scheduler has no workers | dask worker {grid.address}")
    grid.end()
    exit_code, said = _validate(tmp_path, grid.address)
    assert exit_code == 3
    assert said.startswith("the scheduler cannot be reached")


def test_a_worker_with_another_version_is_an_error(grid: Grid, tmp_path: Path) -> None:
    """Another polars may read or hash in another way."""
    path = tmp_path / "other" / "polars-9.9.9.dist-info"
    path.mkdir(parents=True)
    (path / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 9.9.9\n")
    grid.worker(PYTHONPATH=str(path.parent))
    exit_code, said = _validate(tmp_path, grid.address)
    assert exit_code == 3
    assert re.search(r"other versions: polars 9\.9\.9, here \d", said), said


def test_a_worker_that_does_not_see_the_folder_is_an_error(grid: Grid, tmp_path: Path) -> None:
    """Its storage is another one."""
    grid.worker()
    gone = (
        "\nimport shutil, pathlib\nfor path in pathlib.Path(__file__).parent.glob('rows/*'):\n    shutil.rmtree(path)\n"
    )
    (tmp_path / "rows").mkdir()
    (tmp_path / "schema.py").write_text(SCHEMA)
    words = {"source.files": ["d.csv"], "engine.dask": grid.address, "state.staged_dir": "rows"}
    (tmp_path / "job.yaml").write_text(job_text(JOB, words))
    (tmp_path / "d.csv").write_text("Nr,City\n1,x\n")
    assert call("validate", tmp_path / "job.yaml").exit_code == 0
    (tmp_path / "schema.py").write_text(SCHEMA + gone)
    ran = call("validate", tmp_path / "job.yaml")
    assert ran.exit_code == 3
    assert "does not see the folder" in ran.document["errors"][0]["what"]
