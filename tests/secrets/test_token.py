"""The token `secret-abc` is in no log, no message and no file: in every version, under every fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.faults import IMPORT_KINDS
from tests.support.soak import SOAK
from tests.support.traces import FORMS, JWT, TOKEN, Makes, Traces

MODES = {"v1": "profiles", "v2": "profiles", "v3": "imports", "v4": "imports"}
# Requests that change something are struck; with `none` all goes well. Each run is gone on with once, without the fault.
FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "refuse": [{"kind": "refuse", "nth": [5, 11, 14, 18]}],
    "empty": [{"kind": "empty", "method": "P*", "every": 3}],
    "429": [{"kind": "429", "nth": [9, 14, 20]}],
    "502": [{"kind": "502", "method": "P*", "every": 2}],
    "503": [{"kind": "503", "method": "P*", "nth": [2, 4], "retry_after": 0}],
    "504": [{"kind": "504", "method": "GET", "nth": [8, 12]}],
    "slow": [{"kind": "slow", "seconds": 3, "method": "P*", "path": "/v*", "nth": 2}],
    "cut": [{"kind": "cut", "method": "P*", "every": 3}],
    "expire": [{"kind": "expire", "every": 4}],
    "hang": [{"kind": "hang", "nth": 2}],
    "delay": [{"kind": "delay", "seconds": 3600, "nth": 1}],
    "fail": [{"kind": "fail", "nth": 1, "message": "No such thing at https://api.copernica.com/v3?access_token=secret-abc"}],
    "polls": [{"kind": "polls", "polls": 3}],
}  # fmt: skip
# Every fault on v4 and one on each other version; every one on each in a soak.
FEW = {("v1", "empty"), ("v2", "expire"), ("v3", "cut"), *(("v4", fault) for fault in FAULTS)}
CASES = [
    (api, fault)
    for api, mode in MODES.items()
    for fault in FAULTS
    if (mode == "imports" or fault not in IMPORT_KINDS) and (SOAK or (api, fault) in FEW)
]


def no_token_in(everything: bytes) -> None:
    """See that no form of the token and no JWT is there."""
    for form in (*FORMS, JWT):
        assert form.encode() not in everything


@pytest.mark.parametrize(("api", "fault"), CASES)
def test_no_trace_of_a_run_holds_the_token(shop: Makes, api: str, fault: str) -> None:
    """A run under a fault, a look at it, and its resumption: nothing of what they say or leave holds it."""
    traces, job = shop(api=api, mode=MODES[api], read_s=1.5 if fault == "slow" else 20)
    traces.here.sandbox.set_faults(FAULTS[fault])
    codes = [traces.call("run", job, "--json")]
    assert codes[0] in (0, 5, 6)
    assert any(entry["fault"] for entry in traces.here.sandbox.journal()) is (fault != "none")
    traces.here.sandbox.set_faults([])
    state = ("--state-dir", str(traces.state))
    codes += [traces.call(*words, *state) for words in (("status",), ("runs",), ("resume",))]
    assert 1 not in codes
    no_token_in(traces.everything())
    assert len("".join(traces.said)) > 500
    assert any("ledger.sqlite" in path.name for path in traces.files())
    not_followed(traces, api)


def not_followed(traces: Traces, api: str) -> None:
    """See that nothing went where a `Location` of v1 and v2 points, which has the token and no version.

    Each call of the version it was made for, the exchange of the token aside.
    """
    journal = traces.here.sandbox.journal()
    assert {entry["version"] for entry in journal if entry["path"] != "/authenticate"} == {api}


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_the_location_of_an_answer_holds_the_token_and_is_not_followed(shop: Makes, api: str) -> None:
    """The sandbox answers a PUT with 303 as the real one does: behind it comes what the run wants next, no GET of it."""
    traces, job = shop(api=api, mode="profiles")
    assert traces.call("run", job) == 0
    assert traces.call("run", job, "--force", "already_loaded") == 0
    journal = traces.here.sandbox.journal()
    redirected = [at for at, entry in enumerate(journal) if entry["status"] == 303]
    assert len(redirected) >= 8
    assert not [entry for entry in journal if entry["method"] == "GET" and entry["path"].startswith("/profile")]
    no_token_in(traces.everything())


@pytest.mark.parametrize("api", MODES)
def test_a_wrong_token_is_refused_without_a_word_of_it(shop: Makes, api: str) -> None:
    """Exit 5 in every version; the message does not repeat it."""
    traces, job = shop(api=api, mode=MODES[api])
    traces.here.sandbox.world.tokens.token = "another"
    assert traces.call("run", job) == 5
    assert "access token" in traces.said[-1]
    no_token_in(traces.everything())


@pytest.mark.parametrize("api", MODES)
def test_check_and_validate_say_nothing_of_it(shop: Makes, api: str) -> None:
    """One needs it, the other does not."""
    traces, job = shop(api=api, mode=MODES[api])
    assert traces.call("check", job, "--json") == 0
    assert traces.call("validate", job, "--json") == 0
    no_token_in(traces.everything())


@pytest.mark.parametrize("name", ["COPERNICA_API_URL", "COPERNICA_AUTH_URL"])
def test_a_url_that_carries_the_token_is_refused_without_repeating_it(shop: Makes, name: str) -> None:
    """Pasted together by mistake: the message names the variable."""
    traces, job = shop()
    environment = traces.here.environment(COPERNICA_TOKEN=TOKEN)
    for url in (f"https://api.copernica.com/?access_token={TOKEN}", f"https://{TOKEN}@api.copernica.com"):
        done = subprocess_of(job, environment | {name: url})
        assert done.returncode == 3
        assert name in done.stderr
        no_token_in((done.stdout + done.stderr).encode())


@pytest.mark.parametrize("host", ["api.copernica.com", "10.0.0.1", "127.0.0.1.example.test"])
def test_the_token_goes_over_https_to_any_other_machine(shop: Makes, host: str) -> None:
    """Plain http is refused before anything is sent."""
    traces, job = shop()
    done = subprocess_of(job, traces.here.environment(COPERNICA_TOKEN=TOKEN, COPERNICA_API_URL=f"http://{host}"))
    assert done.returncode == 3
    assert "http is taken for this machine only" in done.stderr
    assert traces.here.sandbox.journal() == []
    no_token_in((done.stdout + done.stderr).encode())


def subprocess_of(job: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "run", str(job)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("api", ["v3", "v4"])
def test_a_killed_process_leaves_no_token_behind(shop: Makes, api: str) -> None:
    """SIGKILL while an import is asked for: the ledger's write-ahead log and the staged rows are still there."""
    traces, job = shop(api=api, read_s=20)
    traces.here.sandbox.set_faults([{"kind": "hang", "nth": 2}])
    command = [sys.executable, "-m", "pipeline", "run", str(job), "--set", "load.poll.give_up_s=60"]
    environment = {**os.environ, **traces.here.environment(COPERNICA_TOKEN=TOKEN)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            traces.said.append(line)
            if "chunk.confirmed" in line:
                break
        run.kill()
    assert run.returncode == -signal.SIGKILL
    names = {path.name for path in traces.files()}
    assert "ledger.sqlite-wal" in names
    assert any("staged" in path.parts for path in traces.files())
    no_token_in(traces.everything())


def test_folders_are_0700_and_files_0600(shop: Makes) -> None:
    """The state folder holds customers' data, whatever the umask: staged rows, rejects, failed.csv, ledger, locks."""
    dump = "Nr,Email,Remark,Points,interest.news,Order.No\nC1,a@x.test,,1,Yes,O1\nC2,b@x.test,,many,Yes,O1\n"
    traces, job = shop(dump, mode="profiles")
    traces.here.sandbox.set_faults([{"kind": "502", "method": "PUT"}])
    before = os.umask(0)
    try:
        assert traces.call("run", job) == 6
    finally:
        os.umask(before)
    names = {path.name for path in traces.state.rglob("*")}
    assert {"ledger.sqlite", "run.json", "rejects.csv", "staged", "shop.lock"} <= names
    for root in (traces.state, traces.here.folder / "host"):
        for path in (root, *root.rglob("*")):
            assert (path.name, oct(path.stat().st_mode & 0o777)) == (path.name, "0o700" if path.is_dir() else "0o600")
