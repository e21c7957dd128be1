"""docs/python.md is true: its programs run, its tables are those of the code."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pipeline
from pipeline.sandbox import Sandbox
from tests.support.places import DOCS, ROOT

pytestmark = pytest.mark.usefixtures("sockets")
TEXT = (DOCS / "python.md").read_text(encoding="utf-8")
PLAIN, AIRFLOW, DAGSTER, SANDBOX = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Copy what the programs use."""
    for name in ("configs", "schemas", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".copernica-import", "__pycache__"))
    return tmp_path


def play(program: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, against a sandbox."""
    with Sandbox(structure=place / "configs" / "sandbox.yaml") as sandbox:
        return subprocess.run(
            [sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=False,
            env={
                "PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": str(ROOT),
                "COPERNICA_API_URL": sandbox.api_url, "COPERNICA_AUTH_URL": sandbox.auth_url,
                "COPERNICA_TOKEN": sandbox.token, **environment,
            },
        )  # fmt: skip


def test_the_plain_script_runs(place: Path) -> None:
    """It prints the line of the summary and ends with the exit code; a refusal is printed problem by problem."""
    done = play(PLAIN, place)
    assert (done.returncode, done.stdout.startswith("customers: done (exit 0)")) == (0, True), done.stderr
    done = play(PLAIN, place, COPERNICA_TOKEN="")
    assert done.returncode == 3
    assert done.stdout.splitlines()[0] == "there is no token"


def test_the_sandbox_of_a_test_runs(place: Path) -> None:
    """It makes its own environment."""
    done = play(SANDBOX, place, COPERNICA_TOKEN="")
    assert done.returncode == 0, done.stderr


def test_the_airflow_task_runs(place: Path) -> None:
    """Its function, called as Airflow calls it."""
    pytest.importorskip("airflow")
    call = "\nprint(import_customers.function('configs/customers.yaml')['confirmed'])\n"
    done = play(AIRFLOW + call, place)
    assert done.stdout.splitlines()[-1:] == ["29"], done.stderr


def test_the_dagster_op_runs(place: Path) -> None:
    """As a job in this process."""
    pytest.importorskip("dagster")
    call = textwrap.dedent("""
        @dagster.job
        def nightly():
            import_customers()

        config = {"ops": {"import_customers": {"config": {"job": "configs/customers.yaml"}}}}
        print(nightly.execute_in_process(run_config=config).output_for_node("import_customers")["confirmed"])
        """)
    done = play(DAGSTER + call, place)
    assert done.stdout.splitlines()[-1:] == ["29"], done.stderr


@pytest.mark.parametrize("name", ["run_job", "validate_job", "check_job", "read_job"])
def test_a_signature_is_written_as_it_is(name: str) -> None:
    """Names, order and defaults."""
    parameters = inspect.signature(getattr(pipeline, name)).parameters.values()
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    assert f"`{name}{inspect.Signature(plain)}`" in TEXT


def test_every_error_is_listed_with_its_exit_code() -> None:
    """Those that a call can raise before anything was sent."""
    listed = dict(re.findall(r"^\| (\d) \| `(\w+)`", TEXT, re.MULTILINE))
    assert {code: int(getattr(pipeline, name).exit_code) for code, name in listed.items()} == {
        code: int(code) for code in ("2", "3", "4", "5", "7")
    }
