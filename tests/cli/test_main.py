"""Every end of a command is an exit code and, with `--json`, exactly one document on stdout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pipeline import __version__
from pipeline.cli import COMMANDS, cli
from pipeline.cli.output import answer, refuse, show
from pipeline.errors import Problem
from pipeline.report.summary import Records, Summary

ROOT = Path(__file__).parents[2]


def program(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **options)


def test_help_and_version_load_nothing_heavy():
    """The first answer comes without polars, pandera, pydantic, requests, structlog and rich."""
    code = (
        "import sys\n"
        "from pipeline.__main__ import main\n"
        "assert main(['--help']) == 0 and main(['--version']) == 0\n"
        "heavy = ('polars', 'pandera', 'pydantic', 'requests', 'structlog', 'rich', 'starlette', 'ruamel')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('pipeline.cli.')])\n"
    )
    done = program("-c", code)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-3:] == [f"copernica-import {__version__}", "[]", "[]"]


def test_a_process_does_not_look_for_garbage_at_its_end():
    """That took a fifth of a second of each run: what is there then stays until the memory goes."""
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from pipeline.__main__ import main\n"
        "main(['--version'])\n"
    )
    assert program("-c", code).stdout.splitlines()[-1] == "True"


def test_the_package_runs_as_a_module_and_hands_its_exit_code_on():
    """`python -m pipeline` is the same program; its refusal is JSON alone on stdout."""
    done = program("-m", "pipeline", "run", "--json")
    assert done.returncode == 2
    document = json.loads(done.stdout)
    do = document["errors"][0].pop("do")
    assert document == {
        "status": "refused",
        "exit_code": 2,
        "errors": [{"where": "copernica-import run", "what": "Missing argument 'JOB'."}],
    }
    help_of = subprocess.run(do.removeprefix("see "), shell=True, cwd="/", capture_output=True, check=False)
    assert help_of.returncode == 0


def test_a_reader_that_goes_away_makes_no_noise(tmp_path):
    """`| head` ends quietly and the exit code stays that of the command."""
    code = (
        "import os, sys\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "os.dup2(writing, 1)\n"
        "from pipeline.__main__ import main\n"
        f"sys.exit(main(['run', {str(tmp_path / 'none.yaml')!r}, '--json']))\n"
    )
    done = program("-c", code)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("streams", "said"),
    [(">/dev/full", "the output could not be written"), (">&-", ""), ("2>&-", ""), (">&- 2>&-", "")],
)
def test_a_stream_that_takes_nothing_ends_nothing(streams, said):
    """A full disk behind stdout, and closed streams: the exit code is that of the command, without a traceback."""
    words = f"{sys.executable} -m pipeline validate configs/customers.yaml --json {streams}"
    done = subprocess.run(["sh", "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_of_the_list_is_there_and_has_a_help(call):
    """Each name can be imported and explains itself."""
    for name in COMMANDS:
        called = call(name, "--help")
        assert called.exit_code == 0
        assert called.out.startswith(f"Usage: copernica-import {name} ")
        assert "--json" in called.out


def test_commands_with_a_job_have_the_common_options():
    """--json, --state-dir and --set are on each of them."""
    with click.Context(cli) as context:
        for name in ("run", "validate", "check"):
            command = cli.get_command(context, name)
            words = {word for parameter in command.params for word in parameter.opts}
            assert {"--json", "--state-dir", "--set", "job"} <= words, name


def test_without_a_command_the_help_is_shown_as_a_usage_error(call):
    """Nothing was asked for: exit 2."""
    called = call()
    assert called.exit_code == 2
    assert called.out == ""
    assert called.err.startswith("Usage: copernica-import")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["rum"], "No such command 'rum'."),
        (["run"], "Missing argument 'JOB'."),
        (["run", "J", "--zzz"], "No such option '--zzz'."),
        (["run", "J", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1."),
        (["run", "J", "--limit", "many"], "Invalid value for '--limit': 'many' is not a valid integer range."),
        (["validate", "J", "--accepted", "a.txt"],
         "Invalid value for '--accepted': 'a.txt' ends neither in .csv nor in .ndjson"),
        (["validate", "J", "--rejects", "a"], "Invalid value for '--rejects': 'a' ends neither in .csv nor in .ndjson"),
        (["validate", "J", "--accepted", "a.csv", "--rejects", "a.csv"],
         "--accepted and --rejects name the same file"),
        (["check"], "Missing argument 'JOB'."),
        (["check", "J", "extra"], "Got unexpected extra argument (extra)"),
    ],
)  # fmt: skip
def test_wrong_words_are_a_usage_error_in_words_and_in_json(call, words, what):
    """Exit 2, with the same words on stderr and in the document."""
    called = call(*words)
    assert (called.exit_code, called.out) == (2, "")
    assert f"error: {what}\n" in called.err
    called = call(*words, "--json")
    (error,) = called.document["errors"]
    assert (called.exit_code, called.document["exit_code"], error["what"]) == (2, 2, what)


@pytest.mark.parametrize("guard", ["blank_keys", "MAX_REJECTS", ""])
def test_force_takes_the_names_of_guards_only(call, guard):
    """What has no override is a usage error; the names that have one are told."""
    called = call("run", "J", "--force", guard, "--json")
    assert called.exit_code == 2
    known = re.findall(r"'(\w+)'", called.document["errors"][0]["what"])
    assert set(known) >= {
        "max_rejects", "min_records", "min_share_of_last", "max_deletes", "already_loaded", "unique_keys",
        "key_without_index", "max_unmatched", "max_calls",
    }  # fmt: skip


def test_json_behind_two_dashes_is_a_file(call):
    """`--` ends the options."""
    called = call("check", "--", "J", "--json")
    assert (called.exit_code, called.out) == (2, "")


def test_problems_of_the_job_are_blocks_on_stderr(call, job):
    """What, where and what to do, each on its line; nothing on stdout."""
    called = call("run", job, "--set", "target.api=v9", "--set", "load.mode=x")
    assert called == (
        3,
        "",
        "error: 'v9' does not fit here\n"
        "   at: --set target.api\n"
        "   do: write v1, v2, v3 or v4\n"
        "error: 'x' does not fit here\n"
        "   at: --set load.mode\n"
        "   do: write imports, profiles or auto\n",
    )


def test_problems_of_the_job_are_one_json_document(call, job):
    """The same with --json: all of them, in the shape of the contract."""
    called = call("validate", job, "--json", "--set", "target.api=v9")
    assert called.exit_code == 3
    assert called.document == {
        "status": "refused",
        "exit_code": 3,
        "errors": [{"where": "--set target.api", "what": "'v9' does not fit here", "do": "write v1, v2, v3 or v4"}],
    }


def test_a_missing_job_file_is_no_usage_error(call, tmp_path):
    """The words are right, the job file is missing: exit 3."""
    called = call("run", tmp_path / "none.yaml", "--json")
    assert (called.exit_code, called.document["errors"][0]["what"]) == (3, "there is no such job file")


def test_check_names_faults_of_the_job_and_a_missing_token_together(call, job):
    """All problems at once, also where there is no job to go on with."""
    called = call("check", job, "--set", "target.api=v9", "--json")
    assert called.exit_code == 3
    assert [error["where"] for error in called.document["errors"]] == ["--set target.api", "COPERNICA_TOKEN"]


class Failing(click.Group):
    """Commands that all end in the same error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        raise self._error


def test_a_bug_ends_in_one_document_and_a_traceback_in_the_log(call, job, monkeypatch):
    """Exit 1; stdout stays JSON, the log has the traceback and not the token."""
    monkeypatch.setenv("COPERNICA_TOKEN", "very-secret-token")
    bug = ZeroDivisionError("very-secret-token and Authorization: Bearer abc")
    called = call("run", job, "--json", commands=Failing(bug))
    assert called.exit_code == 1
    assert called.document == {
        "status": "refused",
        "exit_code": 1,
        "errors": [
            {
                "where": "",
                "what": "this is a bug (ZeroDivisionError)",
                "do": "please report it with the traceback in the log",
            }
        ],
    }
    event = json.loads(called.err.splitlines()[0])
    assert (event["event"], event["kind"], event["level"]) == ("run.bug", "ZeroDivisionError", "error")
    assert "Traceback" in event["exception"]
    assert "very-secret-token" not in called.err
    assert "Bearer abc" not in called.err


def test_an_interrupt_is_exit_130(call, job):
    """Ctrl-C before a run has begun."""
    called = call("run", job, "--json", commands=Failing(KeyboardInterrupt()))
    assert (called.exit_code, called.document["exit_code"]) == (130, 130)
    assert called.document["errors"] == [{"where": "", "what": "interrupted", "do": ""}]


def test_many_problems_are_capped_on_stderr_and_whole_in_json(capsys):
    """Fifty blocks and a count of the rest."""
    problems = [Problem(f"fault {number}") for number in range(1, 54)]
    assert refuse(problems, 3, as_json=True) == 3
    out, err = capsys.readouterr()
    assert err.splitlines()[-2:] == ["error: fault 50", "… and 3 more"]
    assert len(json.loads(out)["errors"]) == 53


def test_a_result_is_words_or_one_document_and_its_problems_go_to_stderr(capsys):
    """stdout has the result alone; the exit code is the result's own. How to go on is said in either form."""
    problem = Problem("one chunk failed", "chunk 3", "look at it")
    summary = Summary("r", "j", "incomplete", 6, Records(), problems=(problem,), go_on="run it again")
    assert show(summary, as_json=True) == 6
    out, err = capsys.readouterr()
    assert json.loads(out) == summary.to_dict()
    said = "error: one chunk failed\n   at: chunk 3\n   do: look at it\n"
    assert err == said + "run it again\n"
    assert show(summary, as_json=False) == 6
    assert capsys.readouterr() == (summary.text(), said)
    assert answer({"a": 1}, "words\n", as_json=False) == 0
    assert capsys.readouterr().out == "words\n"


def test_a_file_name_that_is_no_text_can_be_named(call, tmp_path):
    """A name of any bytes is written in escapes, on stderr and in JSON."""
    called = call("run", f"{tmp_path}/\udcff.yaml", "--json")
    assert called.exit_code == 3
    assert called.document["errors"][0]["where"] == f"{tmp_path}/\udcff.yaml"


def test_commands_that_look_at_runs_load_no_engine(open_shop):
    """`runs`, `status` and `report` read SQLite and JSON: they answer in a tenth of a second."""
    shop = open_shop()
    shop.dump("1,Delft")
    shop.done()
    code = (
        "import sys\n"
        "from pipeline.__main__ import main\n"
        f"for command in ('runs', 'status', 'report'): main([command, '--state-dir', {str(shop.state)!r}])\n"
        "heavy = ('polars', 'pandera', 'pydantic', 'requests', 'structlog', 'rich', 'ruamel', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = program("-c", code)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("[]", "")


def test_a_working_folder_that_is_gone_is_named(tmp_path):
    """`runs` looks for the state folder in it: exit 3, not a bug."""
    words = f"cd {tmp_path} && rmdir {tmp_path} && exec {sys.executable} -m pipeline runs --json"
    environ = {name: value for name, value in os.environ.items() if name != "COPERNICA_STATE_DIR"}
    done = subprocess.run(
        ["sh", "-c", words], env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, json.loads(done.stdout)["errors"][0]["what"]) == (3, "the working folder is gone")
