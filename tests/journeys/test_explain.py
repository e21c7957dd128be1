"""`explain` shows what happened to one customer, over runs, chunks and rejects, without values unless asked."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from tests.support.command import call_plain
from tests.support.shop import ORDERS, Shop


def events(shop: Shop, *key: str, words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    ran = shop.call("explain", shop.job, *key, *words)
    assert ran.exit_code == 0, ran.stderr
    return ran.document["events"]


def test_a_customer_is_followed_over_runs_chunks_and_rejects(shop: Shop):
    """The newest run first: rejected tonight, sent the night before, by the file and line of each."""
    shop.dump("1,Ede", "2,Epe", "Á3,Elst")
    first = shop.done("load.chunk_rows=1").document["run"]
    shop.dump("1,Ede", "a3," + "x" * 60)
    second = shop.done("guards.max_rejects=1").document["run"]
    rejected, sent = events(shop, " A3")
    assert sent.pop("import_id") > 0
    assert sent.pop("chunk") in (1, 2, 3)
    assert {**sent, "at": ""} == {"run": first, "at": "", "what": "sent, confirmed", "file": "dump.csv", "line": 4}
    assert rejected.pop("at") > sent["at"]
    assert rejected == {
        "run": second, "what": "rejected", "file": "dump.csv", "line": 3, "code": "too_long", "column": "City",
    }  # fmt: skip
    assert events(shop, "nobody") == []


def test_a_row_that_was_not_sent_because_it_was_unchanged_is_shown(shop: Shop):
    """Where a job sends only changes a customer is in every dump, and that is what somebody asks about."""
    shop.dump("1,Ede", "2,Epe")
    shop.done("load.send=changed")
    shop.dump("1,Ede", "2,Elst")
    shop.done("load.send=changed")
    shop.done("load.send=changed")
    assert [one["what"] for one in events(shop, "1")] == [
        "unchanged, not sent",
        "unchanged, not sent",
        "sent, confirmed",
    ]
    assert [one["what"] for one in events(shop, "2")] == ["unchanged, not sent", "sent, confirmed", "sent, confirmed"]
    assert events(shop, "3") == []


def test_values_are_shown_only_where_asked_for(shop: Shop):
    """Whoever reads over a shoulder sees codes and lines."""
    shop.dump("1," + "x" * 60)
    shop.run()
    plain = call_plain("explain", shop.job, "1").stdout
    assert "xxx" not in plain
    assert "rejected: dump.csv line 2; too_long (City)" in plain
    (found,) = events(shop, "1", words=("--show-values",))
    assert found["values"] == {"Nr": "1", "City": "x" * 60}


def test_a_record_that_could_not_be_split_is_found_by_its_text(shop: Shop):
    """Its key is in no column."""
    shop.dump("1,Ede", "77,Epe,more")
    shop.run("guards.max_rejects=1")
    (found,) = events(shop, "77")
    assert (found["what"], found["line"], found["code"]) == ("set aside, its text holds the key", 3, "field_count")


def test_rows_that_were_refused_are_found_in_their_file(shop: Shop):
    """Under the columns of Copernica."""
    shop.dump("1,Ede", "2,Epe")
    shop.sandbox.set_faults([{"kind": "400", "method": "PUT", "path": "*/profiles", "message": "No", "nth": 1}])
    shop.run("load.mode=profiles")
    assert [one["what"] for one in events(shop, "1")][-1] == "failed"


def test_a_dump_with_names_of_its_own_is_searched_by_them(shop: Shop):
    """Rejects have the dump's columns."""
    shop.configure({"columns": {"no": "Nr"}})
    shop.dump("5," + "x" * 60, header="no,City")
    shop.run()
    assert [one["code"] for one in events(shop, "5")] == ["too_long"]


def test_the_key_has_a_word_per_field(shop: Shop):
    """Keys of collections are not part of it: the customer is explained."""
    ran = shop.call("explain", shop.job, "1", "2")
    assert ran.exit_code == 2
    assert "the profile key of job shop has 1 field (Nr), KEY has 2" in ran.stderr
    shop.dump("1,Ede,o1", header="Nr,City,Order.No")
    shop.done(*ORDERS)
    assert len(events(shop, "1", words=("--set", f"schema={ORDERS[0].partition('=')[2]}"))) == 1


def test_the_index_of_keys_holds_no_key(shop: Shop):
    """Hashes, in files of their owner alone, once per chunk whatever process has cut it."""
    shop.dump("SecretKey1,Ede")
    run = shop.done().document["run"]
    (file,) = (shop.state / "runs" / run / "keys").iterdir()
    assert b"SecretKey1" not in file.read_bytes()
    assert b"secretkey1" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_thousand_runs_are_searched(shop: Shop):
    """Each has a line of its own."""
    shop.dump("1,Ede", ",Epe")
    run = shop.done("guards.max_rejects=1").document["run"]
    folder = shop.state / "runs"
    with closing(sqlite3.connect(shop.state / "ledger.sqlite")) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(run)")]
        others = ", ".join(columns[1:])
        for at in range(1000):
            db.execute(f"INSERT INTO run (id, {others}) SELECT id || ?, {others} FROM run LIMIT 1", (f"-{at}",))
            shutil.copytree(folder / run, folder / f"{run}-{at}")
    words = [sys.executable, "-m", "pipeline", "explain", str(shop.job), "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1001


@pytest.mark.parametrize("word", ["--show-values", "--json"])
def test_without_a_run_there_is_one_clear_message(shop: Shop, word: str):
    """Exit 3."""
    ran = shop.call("explain", shop.job, "1")
    assert (ran.exit_code, ran.document["errors"][0]["what"]) == (3, "there is no run here")


def test_the_index_goes_with_the_rejects(shop: Shop):
    """Hashes of keys are data of customers, too: `state.keep_rejects` says for how long."""
    shop.dump("1,Ede")
    run = shop.done("state.keep_rejects=0d").document["run"]
    assert (shop.state / "runs" / run / "keys").is_dir()
    assert shop.ask("prune").exit_code == 0
    assert not (shop.state / "runs" / run / "keys").exists()
    assert (shop.state / "runs" / run / "run.json").is_file()
