"""Starting and ending: structure files, stores, the command, and what stays behind (nothing)."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from pipeline.cli.sandbox import command
from pipeline.errors import Exit, JobError
from pipeline.sandbox import Sandbox
from tests.support.api_caller import STRUCTURE, Client

pytestmark = pytest.mark.usefixtures("sockets")

ROOT = Path(__file__).parents[2]
START = "from pipeline.cli.sandbox import command; command()"


@pytest.fixture
def started() -> Any:
    """Return a starter of the command in a process of its own, ended at the end of the test."""
    made: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", START, *words], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        made.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline()

    yield start
    for process in made:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_names_its_address_and_ends_with_0(started: Any, number: signal.Signals) -> None:
    """With --json the first line is one document; a signal ends it cleanly without another word."""
    words = ("--port", "0", "--json", "--token", "t1", "--structure", "configs/sandbox.yaml")
    process, line = started(*words)
    address = json.loads(line)
    assert list(address) == ["api_url", "auth_url", "token"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address["api_url"])
    assert (address["auth_url"], address["token"]) == (address["api_url"] + "/authenticate", "t1")
    assert requests.post(address["auth_url"], data={"access_token": "t1"}, timeout=10).status_code == 200
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_the_command_greets_a_person(started: Any) -> None:
    """The first line names the address."""
    assert re.fullmatch(r"Copernica sandbox on http://127\.0\.0\.1:\d+ \(Ctrl-C ends it\)\n", started("--port", "0")[1])


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--structure", "databases: 5", "databases: Input should be a valid list"),
        ("--structure", "databases: [", ":1: no valid YAML"),
        ("--structure", "databases: [{name: A}, {name: a}]", "the name a is used twice"),
        ("--structure", "switches: {several_matches: none}", "switch several_matches cannot be 'none'"),
        ("--structure", "databases: [{name: A, fields: [{name: id}]}]", "not id, not code"),
        ("--structure", "databases: [{name: A, fields: [{name: B, type: word}]}]", "no field type; one of text"),
        ("--faults", "- {kind: fire}", "rule 1 kind"),
    ],
)
def test_a_bad_file_is_a_job_error(tmp_path: Path, option: str, text: str, message: str) -> None:
    """Exit 3, with the place in the file."""
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    error = CliRunner().invoke(command, ["--port", "0", option, str(path)]).exception
    assert isinstance(error, JobError)
    assert error.exit_code == Exit.JOB
    assert str(path) in str(error)
    assert message in str(error)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--structure", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file"),
        (["--store", "nowhere/x.sqlite"], "the store cannot be used"),
        (["--host", "0.0.0.0"], "the sandbox only listens on loopback"),
        (["--port", "70000"], "port 70000 cannot be used"),
    ],
)
def test_a_start_that_fails_is_a_job_error(words: list[str], message: str) -> None:
    """A missing file, a store that cannot be made, a host or port that cannot be had."""
    error = CliRunner().invoke(command, ["--port", "0", *words]).exception
    assert isinstance(error, JobError)
    assert message in str(error)


def test_a_port_in_use_is_a_job_error() -> None:
    """Named as such."""
    with Sandbox() as sandbox:
        port = sandbox.api_url.rpartition(":")[2]
        error = CliRunner().invoke(command, ["--port", port]).exception
    assert isinstance(error, JobError)
    assert "Address already in use" in str(error)


def test_a_store_keeps_everything(tmp_path: Path) -> None:
    """Structure, records, ids, imports and the calls' count are there again; a structure file adds what is missing."""
    path = tmp_path / "store.sqlite"
    with Sandbox(structure=STRUCTURE, store=path) as sandbox:
        api = Client(sandbox)
        api.made("databases", {"name": "More"})
        api.imported([{"CustNo": "17", "Orders.No": "A1", "interest.news": "Yes"}], action="add", name="r1")
        api("DELETE", "profile/1")
        api.made("database/1/profiles", {"fields": {"CustNo": "18"}})
        api.get("database/1/profiles", **{"fields[]": "CustNo==18"})
        api.close()
    extra = {"databases": [*STRUCTURE["databases"], {"name": "Extra"}]}
    with Sandbox(structure=extra, store=path) as sandbox:
        api = Client(sandbox)
        assert [one["name"] for one in api.get("databases")["data"]] == ["Customers", "Other", "More", "Extra"]
        assert api.get("import/1")["processedLines"] == "1"
        assert api.get("profile/1")["removed"] is not False
        assert api.made("database/1/profiles", {"fields": {"CustNo": "19"}}) == "3"
        assert api.get("database/1/profiles", **{"fields[]": "CustNo==18"})["data"][0]["ID"] == "2"
        assert api.get("database/1/profiles", **{"fields[]": "CustNo==19"})["data"][0]["ID"] == "3"
        api.close()


def test_a_structure_may_give_ids_and_switches(tmp_path: Path) -> None:
    """Given ids are never handed out again."""
    structure = {"switches": {"several_matches": "first"}, "databases": [{"name": "A", "id": 7}, {"name": "B"}]}
    with Sandbox(structure=structure) as sandbox:
        api = Client(sandbox)
        assert [one["ID"] for one in api.get("databases")["data"]] == ["7", "8"]
        api.close()
        assert sandbox.world.switches["several_matches"] == "first"


def test_the_shop_of_the_samples_starts() -> None:
    """configs/sandbox.yaml has the database, collections and interests of the sample data."""
    with Sandbox(structure=ROOT / "configs" / "sandbox.yaml") as sandbox:
        api = Client(sandbox)
        database = api.get("database/Customers")
        api.close()
    fields = {one["name"]: (one["type"], one["length"], one["index"]) for one in database["fields"]["data"]}
    assert fields["CustomerID"] == ("text", "20", True)
    assert len(fields) == 12
    assert [one["name"] for one in database["interests"]["data"]] == ["news", "offers"]
    assert [one["name"] for one in database["collections"]["data"]] == ["Order", "Visit"]


def test_nothing_runs_on_after_the_end() -> None:
    """No thread of the sandbox is left, even after an import and with a connection open; then it refuses."""
    before = set(threading.enumerate())
    with Sandbox(structure=STRUCTURE) as sandbox:
        api = Client(sandbox)
        api.imported([{"CustNo": "1"}], action="add")
        names = {one.name for one in set(threading.enumerate()) - before}
    assert {"sandbox-http", "sandbox-imports"} <= names
    assert [one.name for one in set(threading.enumerate()) - before if one.name.startswith("sandbox")] == []
    with pytest.raises(requests.ConnectionError):
        api("GET", "identity")
    api.close()
    with pytest.raises(RuntimeError, match="only inside its with block"):
        sandbox.journal()


def test_importing_the_package_loads_no_server() -> None:
    """starlette and uvicorn come only when a sandbox starts."""
    code = "import sys, pipeline.sandbox, pipeline.cli.sandbox; print({'starlette', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


WITHOUT = "import sys; sys.modules['uvicorn'] = None; from pipeline.__main__ import main; sys.exit(main(['sandbox', '--json']))"


def test_without_its_extra_it_names_what_to_install() -> None:
    """The package alone has no server: exit 3 and the command to type, no traceback."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.JOB
    (error,) = json.loads(done.stdout)["errors"]
    assert error["what"] == "the sandbox needs packages that are not installed: uvicorn"
    assert error["do"] == "pip install 'copernica-import[sandbox]'"


def test_counters_are_honest_after_a_kill(started: Any, tmp_path: Path) -> None:
    """What was imported before SIGKILL is what the counters show on the next start, and no row more."""
    store, body = tmp_path / "store.db", {"databases": [{"name": "Shop", "fields": [{"name": "Nr"}]}]}
    structure = tmp_path / "structure.json"
    structure.write_text(json.dumps(body), encoding="utf-8")
    words = ("--port", "0", "--json", "--store", str(store), "--structure", str(structure))
    process, line = started(*words)
    rows = [{"Nr": str(number)} for number in range(100_000)]
    api, token = json.loads(line)["api_url"], {"access_token": "sandbox"}
    answer = requests.post(
        f"{api}/v3/imports", params=token, json={"database": 1, "action": "add", "source": rows}, timeout=60
    )
    assert answer.headers["X-Created"] == "1"
    while requests.get(f"{api}/v3/import/1", params=token, timeout=10).json()["processedLines"] == "0":
        pass
    process.kill()
    process.wait(10)
    with Sandbox(store=store) as sandbox:
        (report,) = sandbox.imports()
        client = Client(sandbox)
        status, stored = client.get("import/1"), client.get("database/1/profiles", limit=1)["total"]
        client.close()
    assert 0 < stored < 100_000
    assert (status["processedLines"], status["totallines"], report["processed"]) == (str(stored), "100000", stored)
    assert (status["lastrun"], status["lasterror"]) == (False, "Interrupted by a restart")
    assert report["profiles"]["created"] == stored
