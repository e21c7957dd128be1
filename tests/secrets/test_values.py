"""The values of customers: accepted ones are in no log and not in the ledger, rejected ones in the rejects file alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.traces import BAD, HEADER, LONG, PRIVATE, Makes, Traces

ACCEPTED = f"{PRIVATE},{PRIVATE},{LONG},1,Yes,{LONG}\n"
# What is said of a value in a message is cut to so many characters.
SHOWN = 40


def said(traces: Traces) -> str:
    """Return what all commands said, and what every file of the state says that holds no rows by design."""
    rows = ("staged", "rejects.csv", "failed.csv")
    files = [text for path, text in traces.files().items() if not set(rows) & set(path.parts)]
    return "\n".join(traces.said) + b"\n".join(files).decode("utf-8", "replace")


def holds_none(text: str, *values: str) -> None:
    """See that no value is in a text, whole or from its 41st character on."""
    for value in values:
        assert value not in text
        assert value[: SHOWN + 1] not in text


FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "cut": [{"kind": "cut", "method": "P*"}, {"kind": "hang"}],
    "503": [{"kind": "503", "method": "P*"}],
    "429": [{"kind": "429", "method": "P*", "path": "/v*"}],
    "fail": [{"kind": "fail"}],
    "looks": [{"kind": "502", "method": "GET", "path": "*/profiles", "nth": list(range(4, 1000))}],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("api", "mode"), [("v2", "profiles"), ("v4", "profiles"), ("v4", "imports")])
def test_an_accepted_value_is_in_no_log_no_error_and_no_ledger(shop: Makes, api: str, mode: str, fault: str) -> None:
    """Neither as a key, nor as a value: whatever goes wrong on its way; the long one not even in part."""
    traces, job = shop(HEADER + ACCEPTED + ACCEPTED.replace(LONG, "other", 1), api=api, mode=mode)
    traces.here.sandbox.set_faults(FAULTS[fault])
    code = traces.call("run", job, "--json")
    assert code in ((0,) if fault == "none" else (0, 5, 6))
    state = ("--state-dir", str(traces.state))
    assert 1 not in [traces.call(*words, *state) for words in (("status",), ("runs",), ("resume",))]
    holds_none(said(traces), PRIVATE, LONG, PRIVATE.partition("@")[0])
    sent = traces.here.sandbox.contents("Shop")["profiles"]
    assert [one["fields"]["Email"] for one in sent] in ([PRIVATE], [])


@pytest.mark.parametrize("way", ["imports", "profiles"])
def test_a_key_that_has_several_profiles_is_named_by_their_ids(shop: Makes, way: str) -> None:
    """By the guard before the imports, by the row's failure on the other way, in `failed.csv`, which has the row."""
    traces, job = shop(HEADER + ACCEPTED, mode=way)
    world = traces.here.sandbox
    for _ in range(2):
        make_profile(traces)
    assert traces.call("run", job, "--json") == (5 if way == "imports" else 6)
    failed = [path for path in traces.files() if path.name == "failed.csv"]
    named = "".join([*traces.said, *(path.read_text() for path in failed)])
    assert "1 and 2" in named or "1, 2" in named
    holds_none(said(traces), PRIVATE, LONG, PRIVATE.partition("@")[0])
    assert len(failed) == (way == "profiles")
    assert all(LONG in path.read_text() and PRIVATE in path.read_text() for path in failed)
    assert len(world.contents("Shop")["profiles"]) == 2


def make_profile(traces: Traces) -> None:
    """Put a profile with the private key into the database."""
    from pipeline.copernica import Client

    sandbox = traces.here.sandbox
    with Client(sandbox.token, "v3", sandbox.api_url, sandbox.auth_url) as client:
        client.create_profile(client.structure("Shop"), {"Nr": PRIVATE})


REJECTED = {
    "no number": f"C1,{PRIVATE},{LONG},{BAD},Yes,O1\n",
    "too long": f"C1,{PRIVATE},{LONG + LONG + LONG},1,Yes,O1\n",
    "no key": f",{PRIVATE},{LONG},1,Yes,O1\n",
    "no yes or no": f"C1,{PRIVATE},{LONG},1,{BAD},O1\n",
    "too many cells": f"C1,{PRIVATE},{LONG},1,Yes,O1,{BAD}\n",
}


@pytest.mark.parametrize("fault", REJECTED)
def test_a_rejected_record_is_whole_in_the_rejects_file_and_nowhere_else(shop: Makes, fault: str) -> None:
    """Messages show the value that is to blame, at most 40 characters of it, and nothing of its neighbours."""
    traces, job = shop(HEADER + REJECTED[fault] + "C2,b@x.test,,2,No,O2\n")
    assert traces.call("run", job, "--json") == 0
    assert traces.call("run", job, "--set", "guards.max_rejects=0", "--force", "already_loaded") == 4
    files = [path for path in traces.files() if path.name == "rejects.csv"]
    assert len(files) == 2
    for path in files:
        whole = path.read_text()
        cells = [cell for cell in REJECTED[fault].strip().split(",") if cell]
        assert [cell for cell in cells if cell not in whole] == []
        assert longest_message(path) <= 250
    holds_none(said(traces), BAD, LONG, PRIVATE, PRIVATE.partition("@")[0])


def longest_message(path: Path) -> int:
    """Return the length of the longest message of a rejects file, and see that it shows no value whole."""
    import csv

    with path.open(newline="") as file:
        messages = [row["_message"] for row in csv.DictReader(file)]
    assert messages
    for message in messages:
        holds_none(message, BAD, LONG)
    return max(map(len, messages))


def test_the_ledger_keeps_positions_and_digests(shop: Makes) -> None:
    """Every text of every table: none is a value of the dump, on both ways."""
    for way in ("imports", "profiles"):
        traces, job = shop(HEADER + ACCEPTED, mode=way)
        assert traces.call("run", job) == 0
        with closing(sqlite3.connect(traces.state / "ledger.sqlite")) as ledger, ledger:
            tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            texts = [str(cell) for table in tables for row in ledger.execute(f"SELECT * FROM {table}") for cell in row]
        ledger.close()
        assert len(texts) > 20
        holds_none("\n".join(texts), PRIVATE, LONG, "very-private", "private remark")
