"""run_job, validate_job and check_job: what they return, what they raise, and what they leave alone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline
from pipeline import (
    ApiRefusedError,
    InputError,
    Job,
    JobError,
    LockedError,
    PipelineError,
    Summary,
    UsageError,
    check_job,
    read_job,
    run_job,
    validate_job,
)
from pipeline.state.lock import Patience, job_lock
from tests.support.shop import Shop

Open = Callable[..., Shop]


@pytest.fixture
def shop(open_shop: Open, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Open the shop with a dump, its sandbox named by the environment."""
    shop = open_shop()
    shop.dump("1,Delft", "2,Ede")
    for name, value in shop.environment().items():
        monkeypatch.setenv(name, value)
    return shop


def test_a_job_is_run_and_its_summary_returned(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    """The same as the command does, in the same state folder, and nothing on either stream."""
    summary = run_job(shop.job)
    assert isinstance(summary, Summary)
    assert (summary.status, summary.exit_code, summary.records.confirmed) == ("done", 0, 2)
    assert shop.numbers() == ["1", "2"]
    assert (shop.state / "runs" / str(summary.run) / "run.json").is_file()
    assert capfd.readouterr() == ("", "")


def test_a_job_is_validated_without_a_token(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects and accepted rows go to the files named; nothing is asked of anybody."""
    monkeypatch.delenv("COPERNICA_TOKEN")
    shop.dump("1,Delft", ",Ede")
    accepted = shop.folder / "accepted.csv"
    with pytest.raises(InputError) as refused:
        validate_job(shop.job, accepted=accepted, rejects=shop.folder / "rejects.csv")
    assert [problem.where for problem in refused.value.problems] == ["guards.max_rejects"]
    assert (shop.folder / "rejects.csv").is_file()
    assert not accepted.exists()
    shop.configure({"guards.max_rejects": 1})
    summary = validate_job(shop.job, accepted=os.fspath(accepted), origin=True)
    assert (summary.records.accepted, summary.records.rejected) == (1, 1)
    assert accepted.read_text().splitlines() == ["Nr,City,_file,_line,_record", "1,Delft,dump.csv,2,1"]
    assert shop.sandbox.journal() == []


def test_a_job_is_checked(shop: Shop) -> None:
    """Facts and warnings, or one error with all problems; job and API at fault are the job's error."""
    found = check_job(read_job(shop.job))
    assert found.problems == ()
    assert any("Shop" in fact for fact in found.facts)
    with pytest.raises(ApiRefusedError, match="Shoop"):
        check_job(shop.configure({"target.database": "Shoop"}))
    with pytest.raises(JobError) as refused:
        check_job(shop.configure({"target.database": "Shoop", "guards.min_records": -1}))
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(
    "before", [{"schema": "none.py:Shop"}, {"target.database": "Shoop"}, {"guards.min_records": 9}]
)
def test_a_refusal_is_an_exception_whenever_it_happens(shop: Shop, before: dict[str, object]) -> None:
    """Before anything is read, at the API, and behind the input: exit code and problems with what to do."""
    with pytest.raises(PipelineError) as refused:
        run_job(shop.configure(before))
    error = refused.value
    ran = shop.call("run", shop.job)
    assert (int(error.exit_code), type(error)) == (
        ran.exit_code, {3: JobError, 5: ApiRefusedError, 4: InputError}[ran.exit_code],
    )  # fmt: skip
    assert [problem.what for problem in error.problems] == [one["what"] for one in ran.document["errors"]]
    assert all(problem.do for problem in error.problems)
    if error.summary is not None:
        assert error.summary.status == "refused"
    assert shop.posted() == []


def test_a_wrong_argument_is_a_usage_error(shop: Shop) -> None:
    """Nothing is read for it."""
    for words in ({"limit": 0}, {"force": ["nonsense"]}, {"force": "selector"}):
        with pytest.raises(UsageError):
            run_job(shop.job, **words)
    with pytest.raises(UsageError):
        validate_job(shop.job, rejects="rejects.txt")
    assert shop.sandbox.journal() == []


def test_a_lock_that_somebody_holds_is_an_error(shop: Shop) -> None:
    """Exit 7."""
    with job_lock(shop.state, "shop", Patience(0, threading.Event())), pytest.raises(LockedError):
        run_job(shop.job)


def test_every_argument_counts(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in place of the job's own, a token, a state folder, a limit, a forced guard, a callback."""
    monkeypatch.setenv("COPERNICA_TOKEN", "wrong")
    other = shop.dump("7,Urk", "8,Urk", "9,Urk", name="other.csv")
    seen: list[tuple[str, int, int | None]] = []
    job = read_job(str(shop.job), ["guards.min_records=5"])
    assert isinstance(job, Job)
    summary = run_job(
        job, [other], token=shop.sandbox.token, state_dir=tmp_path / "mine", limit=2, force=["min_records"],
        on_progress=lambda stage, done, total: seen.append((stage, done, total)),
    )  # fmt: skip
    assert (summary.records.confirmed, summary.forced) == (2, ("min_records",))
    assert shop.numbers() == ["7", "8"]
    assert (tmp_path / "mine" / "ledger.sqlite").is_file()
    assert not shop.state.exists()
    for stage in {stage for stage, _, _ in seen}:
        counts = [done for name, done, _ in seen if name == stage]
        assert counts == sorted(counts)
    assert ("load", 2, 2) in seen


def test_the_log_is_the_callers(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The logger `pipeline`; the token stands nowhere; a handler that is not there costs nothing."""
    with caplog.at_level(logging.INFO, "pipeline"):
        run_job(shop.job, token=shop.sandbox.token)
    events = [record.event["event"] for record in caplog.records]
    assert events[-1] == "run.done"
    assert {record.name for record in caplog.records} == {"pipeline"}


def test_it_runs_twice_in_one_process_and_in_threads(open_shop: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four runs of four jobs at one time against one sandbox: each right, each with its own log; umask and stdout as before."""
    shop = open_shop()
    for name, value in shop.environment().items():
        monkeypatch.setenv(name, value)
    jobs = []
    for name in "abcd":
        shop.dump(*(f"{name}{number},Ede" for number in range(5)), name=f"{name}.csv")
        text = shop.configure({"job": name, "source.files": [f"{name}.csv"]}).read_text()
        jobs.append(shop.write(f"{name}.yaml", text))
    stdout, umask = sys.stdout, os.umask(0o022)
    ended: dict[str, object] = {}

    def run(job: Path) -> None:
        try:
            # The database's lock lets one at a time through; the others wait by trying again.
            while job.stem not in ended:
                try:
                    ended[job.stem] = run_job(job)
                except LockedError:
                    continue
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            ended[job.stem] = error

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [getattr(ended[name], "status", ended[name]) for name in "abcd"] == ["done"] * 4
    assert len(shop.numbers()) == 20
    assert (sys.stdout, os.umask(umask)) == (stdout, 0o022)
    for name in "abcd":
        log = (shop.state / "runs" / str(ended[name].run) / "log.ndjson").read_text()
        assert all(f'"run": "{ended[name].run}"' in line for line in log.splitlines())
        assert '"run.done"' in log
    assert run_job(jobs[0]).status == "done"


def test_importing_the_package_loads_nothing_heavy() -> None:
    """No engine, and every public name is there."""
    code = (
        "import sys, pipeline\n"
        "heavy = ('polars', 'pandera', 'pydantic', 'requests', 'structlog', 'click', 'pipeline.errors')\n"
        "assert [name for name in heavy if name in sys.modules] == []\n"
        "assert set(pipeline.__all__) <= set(dir(pipeline))\n"
        "for name in pipeline.__all__: getattr(pipeline, name)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pipeline.nonsense  # noqa: B018
