"""The input read by several processes is, to the byte, what one process reads; what goes wrong there is reported clearly."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ran, call
from tests.support.job import job_text
from tests.support.journey import Journey, Sandboxes
from tests.support.shop import JOB, SCHEMA, STRUCTURE

# Only what one command alone can know: its name, its times, its places.
OWN = ("run", "seconds", "rejects", "report", "bytes_sent", "api_calls", "verify")


def _write_dumps(folder: Path) -> None:
    """Write dumps with rejects, malformed records, texts over lines, keys that come back, and a later column."""
    rows = [
        f"{number},{'Delft' if number % 3 else 'x' * 60},{'a' if number % 7 == 0 else number}" for number in range(400)
    ]
    rows[50] = '50,"two\nlines",50'
    rows[60] = '60,"stray" quote,60'
    rows[61:63] = ['61,"opens', 'closes",61']
    (folder / "d1.csv").write_text("\n".join(("Nr,City,Points", *rows)) + "\n")
    (folder / "d2.csv.gz").write_bytes(
        gzip.compress("\n".join(("Nr,City,Points", "3,Gouda,1", "3,Gouda,1", "399,,", ",Ede,1")).encode(), mtime=0)
    )
    (folder / "d10.csv").write_text("Nr,City,Points,note\n5,Ede,1,late column\n7,Ede,zz,and a reject\n5,Urk,2,\n")


def _shop(sandboxes: Sandboxes, folder: Path, **changes: Any) -> Journey:
    folder.mkdir()
    shop = Journey(sandboxes.start(STRUCTURE), folder)
    shop.write("schema.py", SCHEMA)
    words = {"schema": "schema.py:Points", "source.files": ["d*.csv*"], "ignore": ["note"], "guards.max_rejects": "90%"}
    shop.write("job.yaml", job_text(JOB, {**words, **changes}))
    shop.write("schema.py", SCHEMA + "\nclass Points(Shop):\n    Points: int = Integer(nullable=True)\n")
    return shop


def _state_of(shop: Journey, ran: Ran) -> dict[str, Any]:
    """Return all that must be equal: the summary, rejects, staged files and the database."""
    run = shop.state / "runs" / ran.document["run"]
    # Digests of units have a salt of the host.
    staged = {
        str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "staged").rglob("lanes*/**/*.arrow"))
    }
    summary = {name: value for name, value in ran.document.items() if name not in OWN}
    files = [{**one, "path": Path(one["path"]).name} for one in summary.pop("files")]
    contents = shop.sandbox.contents("Shop")["profiles"]
    values = sorted((one["fields"] for one in contents), key=lambda one: one["Nr"])
    assert len(staged) > 0
    return {
        "summary": json.loads(
            json.dumps(summary).replace(ran.document["run"], "RUN").replace(str(shop.folder), "FOLDER")
        ),
        "files": files,
        "rejects": (run / "rejects.csv").read_bytes(),
        "staged": staged,
        "database": values,
    }


@pytest.mark.parametrize("settings", [{}, {"load.send": "changed", "load.mode": "profiles"}])
def test_any_number_of_processes_leaves_the_same(
    sandboxes: Sandboxes, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Staged rows byte for byte, rejects, counts, numbers of lines and records, warnings, order of files, database."""
    found = []
    for count in (1, 2, 4) if not settings else (1, 2):
        shop = _shop(
            sandboxes, tmp_path / str(count), **settings, **{"state.keep_staged": "7d", "engine.processes": count}
        )
        _write_dumps(shop.folder)
        ran = shop.call("run", shop.folder / "job.yaml")
        assert ran.exit_code == 0, ran.stderr
        found.append(_state_of(shop, ran))
        assert not list(shop.state.rglob("taken"))
    assert found[0]["summary"]["records"]["malformed"] == 1
    for other in found[1:]:
        assert other == found[0]


def test_a_large_file_is_cut_and_joined(tmp_path: Path) -> None:
    """More than 32 MiB: pieces of it are checked by two processes, in the order of the file."""
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "job.yaml").write_text(job_text(JOB, {"ignore": ["note"], "guards.max_rejects": "90%"}))
    note = "n" * 300
    with (tmp_path / "dump.csv").open("w") as file:
        file.write("Nr,City,note\n")
        for number in range(140_000):
            city = f'"line\n{number % 7}"' if number % 1000 == 0 else "x" * 51 if number % 999 == 0 else "Ede"
            file.write(f"{number},{city},{note}\n")
        file.write("1,2\n")
    found = []
    for count in (1, 2):
        accepted, rejects = tmp_path / f"a{count}.csv", tmp_path / f"r{count}.csv"
        ran = call(
            "validate", tmp_path / "job.yaml", "--accepted", accepted, "--rejects", rejects, "--origin",
            "--set", f"engine.processes={count}",
        )  # fmt: skip
        assert ran.exit_code == 0, ran.stderr
        shown = {name: value for name, value in ran.document.items() if name not in OWN}
        found.append((shown, accepted.read_bytes(), rejects.read_bytes()))
    assert found[0][0]["records"]["malformed"] == 1
    assert found[1] == found[0]


def _validate(folder: Path, schema: str, *words: str, rows: int = 10) -> Ran:
    """Validate two small files with two processes, under a schema module that ends with `schema`."""
    (folder / "schema.py").write_text(SCHEMA + schema)
    (folder / "job.yaml").write_text(job_text(JOB, {"source.files": ["d*.csv"], "engine.processes": 2}))
    for name in ("d1.csv", "d2.csv"):
        (folder / name).write_text("Nr,City\n" + "".join(f"{number},Ede\n" for number in range(rows)))
    return call("validate", folder / "job.yaml", *words)


# The schema is user code that runs in every process, so it can show what a process does there.
IN_CHILD = """
import multiprocessing, os, pathlib
here = pathlib.Path(__file__).parent
if multiprocessing.parent_process() is not None:
"""


def test_a_process_that_is_killed_costs_its_parts_only(tmp_path: Path) -> None:
    """Another one takes them."""
    die = '    if not (here / "died").exists():\n        (here / "died").touch()\n        os.kill(os.getpid(), 9)\n'
    ran = _validate(tmp_path, IN_CHILD + die)
    assert (ran.exit_code, ran.records["accepted"]) == (0, 20)
    assert (tmp_path / "died").exists()


def test_a_process_that_is_killed_between_two_batches_doubles_nothing(tmp_path: Path) -> None:
    """What it had handed over before is not taken again from the one that reads its part anew."""
    die = """

class Dying(Shop):
    @pa.check("City")
    def dies(cls, data):
        rows = data.lazyframe.select(pl.len()).collect().item()
        if multiprocessing.parent_process() is not None and rows == 50_000 and not (here / "died").exists():
            # The first batch of the first file has arrived.
            while not any(path.stat().st_size > 1_000 for path in here.glob("*accepted-2*")):
                threading.Event().wait(0.01)
            (here / "died").touch()
            os.kill(os.getpid(), 9)
        return data.lazyframe.select(pl.col(data.key) != "Delft")
"""
    (tmp_path / "schema.py").write_text(f"{SCHEMA}\nimport polars as pl, threading{IN_CHILD}    pass\n{die}")
    (tmp_path / "job.yaml").write_text(job_text(JOB, {"source.files": ["d*.csv"], "schema": "schema.py:Dying"}))
    for name in ("d1.csv", "d2.csv"):
        (tmp_path / name).write_text("Nr,City\n" + "".join(f"{number},Ede\n" for number in range(150_000)))
    found = []
    for count in (1, 2):
        accepted = tmp_path / f"accepted-{count}.csv"
        ran = call("validate", tmp_path / "job.yaml", "--accepted", accepted, "--set", f"engine.processes={count}")
        assert ran.exit_code == 0, ran.stderr
        found.append((ran.records, accepted.read_bytes()))
    assert (tmp_path / "died").exists()
    assert found[1] == found[0]


def test_processes_that_are_killed_again_and_again_are_an_error(tmp_path: Path) -> None:
    ran = _validate(tmp_path, IN_CHILD + "    os.kill(os.getpid(), 9)\n")
    assert ran.exit_code == 4
    (error,) = ran.document["errors"]
    assert error["what"] == "a process that read the dumps was killed, 3 times in a row; nothing was sent"
    assert error["where"] == "engine.processes"


def test_a_schema_that_does_not_import_there_is_an_error(tmp_path: Path) -> None:
    """With its own words, as in this process."""
    ran = _validate(tmp_path, IN_CHILD + '    raise ImportError("no such module here")\n')
    assert ran.exit_code == 3
    assert "no such module here" in ran.document["errors"][0]["what"]


def test_a_worker_has_no_token(tmp_path: Path) -> None:
    """It speaks to nobody."""
    see = '    (here / "seen").write_text(str(sorted(name for name in os.environ if "TOKEN" in name)))\n'
    (tmp_path / "x").mkdir()
    os.environ["COPERNICA_TOKEN"] = "secret-of-this-test"
    try:
        ran = _validate(tmp_path, IN_CHILD + see)
    finally:
        del os.environ["COPERNICA_TOKEN"]
    assert ran.exit_code == 0
    assert (tmp_path / "seen").read_text() == "[]"


def test_all_refused_files_are_named(tmp_path: Path) -> None:
    """In the order of the files, whichever process found it out first."""
    (tmp_path / "d3.csv").write_text("Nr,Town\n1,x\n")
    (tmp_path / "d4.csv").write_text("")
    (tmp_path / "d5.csv").write_text("Nr\n1\n")
    errors = []
    for count in (1, 2):
        ran = _validate(tmp_path, "", "--set", f"engine.processes={count}")
        assert ran.exit_code == 4
        errors.append(ran.document["errors"])
    assert errors[1] == errors[0]
    assert {"d3.csv", "d4.csv", "d5.csv"} <= {one["where"] for one in errors[0]}


def test_the_first_rows_are_read_by_one_process(tmp_path: Path) -> None:
    """`--limit` counts over all files; a child would leave its mark."""
    ran = _validate(tmp_path, IN_CHILD + '    (here / "child").touch()\n', "--limit", "13")
    assert ran.records["accepted"] == 13
    assert not (tmp_path / "child").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_processes(sandboxes: Sandboxes, tmp_path: Path, number: signal.Signals) -> None:
    """At once, whatever they are doing; nothing was sent."""
    shop = _shop(sandboxes, tmp_path / "shop", **{"engine.processes": 2})
    _write_dumps(shop.folder)
    os.mkfifo(shop.folder / "begun")
    wait = '    (here / "begun").write_text(f"{os.getpid()}\\n")\n    import threading; threading.Event().wait()\n'
    shop.write("schema.py", (shop.folder / "schema.py").read_text() + IN_CHILD + wait)
    words = [sys.executable, "-m", "pipeline", "run", str(shop.folder / "job.yaml"), "--json"]
    environment = {**os.environ, **shop.environment()}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child = int((shop.folder / "begun").read_text().partition("\n")[0])
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["records"]["confirmed"] == 0
    assert shop.posted() == []
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """A pool's processes would wait for work for ever."""
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "over")
    # The child holds the write end of `over` until it has ended, so that reading comes to an end then.
    wait = (
        '    held = (here / "over").open("w")\n    (here / "begun").write_text("1\\n")\n'
        "    import threading; threading.Event().wait()\n"
    )
    (tmp_path / "d3.csv").write_text("Nr,City\n1,x\n")
    (tmp_path / "job.yaml").write_text(job_text(JOB, {"source.files": ["d3.csv"], "engine.processes": 2}))
    (tmp_path / "schema.py").write_text(SCHEMA + IN_CHILD + wait)
    process = subprocess.Popen([sys.executable, "-m", "pipeline", "validate", str(tmp_path / "job.yaml")])
    over = os.open(tmp_path / "over", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "begun").read_text()
    process.kill()
    process.wait()
    os.set_blocking(over, True)
    assert os.read(over, 1) == b""
    os.close(over)


def test_wrong_rows_of_lists_are_rejected_alike(tmp_path: Path) -> None:
    """Nested JSON: the reject of an element stands there with its object, which has other lists and good elements."""
    (tmp_path / "schema.py").write_text(SCHEMA)
    changes = {
        "source.files": ["d.ndjson"], "schema": "schema.py:Orders", "target.key_fields": ["Nr", "Order.No"],
        "columns": {"orders.No": "Order.No"}, "guards.max_rejects": "90%",
    }  # fmt: skip
    (tmp_path / "job.yaml").write_text(job_text(JOB, changes))
    lines = [
        {"Nr": "1", "City": "x", "orders": [{"No": "1"}, {"No": "9" * 30}, {"No": "3"}]},
        {"Nr": "2", "City": "y" * 60, "orders": [{"No": "4"}]},
        {"Nr": "3", "City": "z", "orders": []},
        {"Nr": 4, "City": 1.10},
    ]
    text = "\n".join(json.dumps(one) for one in lines) + "\nnot json\n"
    (tmp_path / "d.ndjson").write_text(text)
    found = []
    for count in (1, 2):
        rejects = tmp_path / f"r{count}.ndjson"
        ran = call("validate", tmp_path / "job.yaml", "--rejects", rejects, "--set", f"engine.processes={count}")
        assert ran.exit_code == 0, (ran.stderr, ran.document)
        found.append((ran.records, rejects.read_bytes()))
    assert found[1] == found[0]
    assert found[0][0]["rejected"] == 2


def test_stdin_is_read_by_other_processes_too(tmp_path: Path) -> None:
    """It is copied into a file first."""
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "job.yaml").write_text(job_text(JOB, {"engine.processes": 2}))
    words = ["validate", str(tmp_path / "job.yaml"), "-", "--set", "source.format=csv", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        input="Nr,City\n1,x\n2,y\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["records"]["accepted"] == 2
