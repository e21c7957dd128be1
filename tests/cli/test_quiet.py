"""A quiet run writes nothing when all is well; a bad one begins with one line that says everything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from pipeline.cli.output import show
from pipeline.errors import Problem
from pipeline.report.summary import Records, Summary

GOOD = Summary("r", "shop", "done", 0, Records(read=2, rejected=1, accepted=1, confirmed=1), go_on="mend the rejects")
BAD = Summary(
    "r",
    "shop",
    "incomplete",
    6,
    Records(read=2, accepted=2, confirmed=1, unknown=1),
    open=True,
    problems=(Problem("it is not known whether it arrived", "chunk 2", "resume looks again"),),
    go_on="To go on: copernica-import resume r",
)


def test_nothing_is_written_when_all_is_well(capsys):
    """Rejects within the limit are no bad night."""
    assert show(GOOD, as_json=False, quiet=True) == 0
    assert capsys.readouterr() == ("", "")


def test_a_bad_night_is_one_line_then_problems_then_what_to_do(capsys):
    """All of it on stderr, and nothing else."""
    assert show(BAD, as_json=False, quiet=True) == 6
    assert capsys.readouterr() == (
        "",
        "shop: incomplete, still open (exit 6): 2 read, 2 accepted, 1 confirmed, 1 unknown; run r\n"
        "error: it is not known whether it arrived\n"
        "   at: chunk 2\n"
        "   do: resume looks again\n"
        "To go on: copernica-import resume r\n",
    )


def test_the_document_is_written_all_the_same(capsys):
    """Quiet is about people; who asks for JSON gets exactly one document."""
    assert show(GOOD, as_json=True, quiet=True) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["status"], err) == ("done", "")


def test_what_stops_a_run_before_it_begins_has_the_line_too(call, job):
    """Job, exit code and time stand first: a mail that names neither is read by nobody."""
    called = call("run", job, "--quiet", "--set", "load.mode=rockets")
    first, second, *_ = called.err.splitlines()
    assert re.fullmatch(
        r"customers: refused \(exit 3\) at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00: 0 read, nothing was sent", first
    )
    assert second.startswith("error: ")
    assert (called.exit_code, called.out) == (3, "")
    assert not any(line.startswith("{") for line in called.err.splitlines())


def test_a_job_that_cannot_be_read_is_named_by_its_file(call, tmp_path):
    """There is no name to read; without a job file the command is named."""
    assert call("run", tmp_path / "none.yaml", "--quiet").err.startswith("none.yaml: refused (exit 3) at ")
    assert call("resume", "--state-dir", tmp_path, "--quiet").err.startswith("resume: refused (exit 3) at ")


def test_nothing_that_a_quiet_night_does_not_need_is_loaded_at_its_start():
    """Bars, pages, plots, mail and metrics are loaded where they are used."""
    heavy = (
        "rich",
        "jinja2",
        "pygal",
        "apprise",
        "prometheus_client",
        "pipeline.run.plan.plan",
        "pipeline.run.undo.before",
        "pipeline.run.engine.joining",
        "pipeline.extract.json.ndjson",
        "pipeline.run.init.kinds",
    )
    code = (
        "import sys, pipeline.cli.run, pipeline.run.run, pipeline.run.announce, pipeline.report.progress\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_a_file_a_traceback_is_shown(tmp_path):
    """A bug before the run has a folder would leave no trace at all."""
    code = (
        "from pipeline.log import configure, get_logger, log_to\nfrom pathlib import Path\n"
        "configure((), quiet=True)\n"
        "def bug():\n    try: 1 / 0\n    except ZeroDivisionError: get_logger().error('run.bug', exc_info=True)\n"
        "bug()\nlog_to(Path('log'))\nbug()\nget_logger().warning('a.b')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(done.stderr.splitlines()) == 1
    assert "ZeroDivisionError" in done.stderr
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events == ["run.bug", "a.b"]


def test_a_log_file_that_cannot_be_opened_is_a_usage_error(call, job, tmp_path):
    """Nobody finds out in the morning that the log went nowhere."""
    called = call("run", job, "--log", tmp_path / "none" / "log")
    assert called.exit_code == 2
    assert "cannot be written: No such file or directory" in called.err


def test_the_log_of_a_run_is_kept_from_its_first_event_on(tmp_path, monkeypatch):
    """Events before the folder is known wait for it; the file is private; each event names its run."""
    code = (
        "from pipeline.log import configure, get_logger, keep_log\nfrom pathlib import Path\n"
        "configure(('a-secret-text',), quiet=True)\nlog = get_logger()\n"
        "log.info('early', text='a-secret-text')\nkeep_log(Path('log.ndjson'), 'run-1')\nlog.info('late', run='other')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    path = Path(tmp_path / "log.ndjson")
    early, late = [json.loads(line) for line in path.read_text().splitlines()]
    assert (early["event"], early["text"], early["run"]) == ("early", "[redacted]", "run-1")
    assert (late["event"], late["run"]) == ("late", "other")
    assert path.stat().st_mode & 0o777 == 0o600
