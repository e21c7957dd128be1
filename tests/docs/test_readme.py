"""What README.md says is so: its commands are run, its output, files and tables compared."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS
from pipeline.cli.plan import CHANGES
from pipeline.errors import Exit
from pipeline.sandbox import Sandbox
from tests.docs.pages import DOCS, ROOT, help_of
from tests.support.command import call
from tests.support.shop import Shop

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference.md").read_text(encoding="utf-8")
ONE_JOB = (DOCS / "one-job.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def section(title: str, page: str = TEXT) -> str:
    """Return the text below a heading, up to the next one of its level or above (# is a comment in a code block)."""
    level, _, _ = title.partition(" ")
    begin = page.index(f"\n{title}\n")
    end = re.compile(rf"^#{{2,{len(level)}}} ", re.MULTILINE).search(page, begin + len(title) + 2)
    return page[begin : end.start() if end else len(page)]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def table(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return rows[2:]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the quick start touches, so that the repository gets no state folder."""
    for name in ("configs", "schemas", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".copernica-import", "__pycache__"))
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call make with the environment that runs the tests in place of one that it would set up."""
    # Without the flags of a make that runs the tests.
    clean = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "JOB")
    }
    return subprocess.run(
        ["make", "--old-file=.venv/.installed", f"BIN={BIN}", *words],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def steady(line: str) -> str:
    """Take out of a line what differs from run to run."""
    line = re.sub(r"-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", "-RUN", line)
    line = re.sub(r"/\S*(?=/configs/\.copernica-import|/\.venv/bin/)", "/srv/copernica-import", line)
    return re.sub(r"in [0-9.]+ s", "in S s", line).rstrip()


def test_make_run_ends_as_the_readme_shows(copy: Path) -> None:
    """The first command of the quick start, with its output line by line; … stands for lines left out."""
    (shown,) = blocks(section("## The summary", REFERENCE), "text")
    done = make("run")
    assert done.returncode == 0, done.stderr
    lines = iter([steady(line) for line in done.stdout.splitlines()])
    for line in shown.splitlines():
        if line != "…":
            # Each stands behind the one before it.
            assert steady(line) in lines, line
    assert list(lines) == []
    assert (copy / "configs" / ".copernica-import" / "ledger.sqlite").is_file()


def test_make_run_starts_with_the_summary_that_the_readme_shows(copy: Path) -> None:
    """make shows what it runs; nothing else stands before the first line of the summary."""
    commands = make("-n", "run")
    words = shlex.split(commands.stdout.replace("\\\n", ""))
    assert words == [
        f"{BIN}/python", "-m", "pipeline.sandbox", "--structure", "configs/sandbox.yaml",
        "--keep", "build/sandbox/last.db", "--",
        f"{BIN}/copernica-import", "run", "configs/customers.yaml",
    ]  # fmt: skip


def test_make_test_runs_the_tests() -> None:
    """The second command of the quick start; running it here would never end."""
    done = make("-n", "-C", str(ROOT), "test")
    assert shlex.split(done.stdout.splitlines()[-2 if "Leaving" in done.stdout else -1])[1:] == [
        "-m", "pytest", "-n", "4", "--dist", "worksteal", "tests",
    ]  # fmt: skip


def test_the_targets_that_the_readme_names_are_listed() -> None:
    """`make help` lists every target, and the README names no other one."""
    done = make("-C", str(ROOT), "help")
    listed = re.findall(r"^([a-z]+)  ", done.stdout, re.MULTILINE)
    assert {"help", "run", "test", "lint", "check", "sandbox", "show", "nightly", "clean"} <= set(listed)
    assert set(re.findall(r"\bmake (?:--silent )?([a-z]+)(?=[\s`])", TEXT)) - {"itself"} <= set(listed)


@pytest.fixture
def sandbox(sockets: None) -> Iterator[dict[str, str]]:
    with Sandbox(structure=ROOT / "configs" / "sandbox.yaml") as running:
        yield {
            "COPERNICA_API_URL": running.api_url,
            "COPERNICA_AUTH_URL": running.auth_url,
            "COPERNICA_TOKEN": running.token,
        }


def test_the_night_is_a_make_target(copy: Path, sandbox: dict[str, str]) -> None:
    """JOB and DUMP as in the crontab; make ends with 2 and names the exit code, and asks for a job that is not said."""
    done = make(
        "--silent", "nightly", "JOB=configs/customers.yaml", "DUMP=sample_data/mended-2026-11-17.csv", **sandbox
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    done = make("--silent", "nightly", "JOB=configs/customers.yaml", "DUMP=none.csv", **sandbox)
    assert done.returncode == 2
    assert done.stderr.startswith("customers: refused (exit 4)")
    assert done.stderr.splitlines()[-1].endswith("Error 4")
    done = make("--silent", "nightly", **sandbox)
    assert "name the job" in done.stderr


def test_the_night_installs_nothing(copy: Path) -> None:
    """An environment older than the pins is one line of error, with the command that mends it."""
    os.utime(copy / ".venv" / ".installed", (1_000_000_000, 1_000_000_000))
    done = make("--silent", "nightly", "JOB=configs/customers.yaml")
    message, verdict = done.stderr.splitlines()
    assert message == f"error: the environment is older than pyproject.toml; run: make -C {copy} setup"
    assert verdict.endswith("Error 3")
    assert not (copy / "configs" / ".copernica-import").exists()


def test_the_night_passes_its_options_on(copy: Path) -> None:
    """WAIT and QUIET are options of `run`."""
    done = make("-n", "nightly", "JOB=a.yaml", "DUMP=b.csv", "WAIT=600")
    assert done.stdout.splitlines()[-1].endswith("copernica-import run --quiet --wait 600 a.yaml b.csv")
    done = make("-n", "nightly", "JOB=a.yaml", "QUIET=")
    assert done.stdout.splitlines()[-1].split("run ")[-1].split() == ["a.yaml"]


PEOPLE = "Nr,Email,Born\n00001,ann@example.test,1980-01-31\n00002,,10-02-03\n00003,bob@example.test,\n"


def test_the_steps_to_an_own_database_run(copy: Path, sandbox: dict[str, str]) -> None:
    """Every line of the block but the token's, in order, from a dump alone; a person would agree to `setup`."""
    (copy / "people.csv").write_text(PEOPLE.replace("10-02-03", "2003-02-10"))
    (block,) = blocks(section("## Your own database"), "sh")
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if not line.startswith("export")]
    assert [words[1] for words in commands] == ["init", "setup", "check", "plan", "run", "run"]
    for words in commands:
        assert words[0] == ".venv/bin/copernica-import"
        ran = call(*words[1:], *(["--yes"] if words[1] == "setup" else []), environment=sandbox)
        assert ran.exit_code == 0, ran.stderr
    assert ran.records["confirmed"] == 3


def test_the_one_job_of_the_readme_runs(open_shop: Callable[..., Shop]) -> None:
    """Job and schema as they are shown; `00001` stays, `10-02-03` is set aside."""
    people = {"name": "People", "fields": [{"name": "Nr", "length": 20, "index": True}, {"name": "Email", "type": "email"},
                                           {"name": "Born", "type": "empty_date"}]}  # fmt: skip
    shop = open_shop({"databases": [people]})
    job = shop.write("people.yaml", *blocks(section("## One job"), "yaml"))
    shop.write("people.py", *blocks(section("## One job"), "python"))
    shop.write("people-1.csv", PEOPLE)
    ran = shop.call("run", job, "--set", "guards.max_rejects=1")
    assert (ran.exit_code, ran.records["confirmed"], ran.records["rejected"]) == (0, 2, 1), ran.stderr
    assert [one["fields"]["Nr"] for one in shop.profiles("People")] == ["00001", "00003"]


def test_the_job_is_explained_whole() -> None:
    """The pieces of the job file put together are the file."""
    pieces = blocks(ONE_JOB, "yaml")
    assert "".join(pieces) == (ROOT / "configs" / "customers.yaml").read_text(encoding="utf-8")


def test_the_schema_is_quoted_as_it_is() -> None:
    """The lines shown stand in the module, one behind the other."""
    (shown,) = blocks(ONE_JOB, "python")
    assert shown in (ROOT / "schemas" / "customers.py").read_text(encoding="utf-8")


def test_the_exit_codes_are_those_of_the_program() -> None:
    """One row per code, in order; a plan has one of its own."""
    codes = sorted([*(int(code) for code in Exit), CHANGES])
    assert [int(row[0]) for row in table(section("## Exit codes", REFERENCE))] == codes


def test_the_environment_is_what_the_program_reads() -> None:
    """Every variable that the source names is in the table, and no other one."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    known = set(re.findall(r"\"(COPERNICA_[A-Z_]+)\"", source))
    rows = table(section("## Environment", REFERENCE))
    assert {row[0].strip("`") for row in rows} == known
    defaults = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert f'"{defaults["COPERNICA_API_URL"]}"' in source
    assert f'"{defaults["COPERNICA_AUTH_URL"]}"' in source


def test_every_command_and_option_that_is_named_exists() -> None:
    """What is written behind copernica-import can be typed."""
    named = set(re.findall(r"copernica-import ([a-z]+)", TEXT))
    assert {"init", "setup", "check", "plan", "run", "resume", "runs"} <= named <= set(COMMANDS)
    options = "".join(help_of(name) for name in COMMANDS)
    for option in set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", TEXT)) - {"--help", "--silent"}:
        assert option in options, option
