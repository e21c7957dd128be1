"""One journey per exit code: what happened, what the last line says, what was sent and what was not."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest

from pipeline.__main__ import main
from pipeline.errors import Exit
from pipeline.state.lock import Lock
from tests.journeys.shop import JOB, SCHEMA, chunk_of, customers, opened, run
from tests.support.command import call
from tests.support.journey import Journey, words_of
from tests.support.nights import leaping


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Journey:
    return opened(journey)


def test_0_every_accepted_record_is_confirmed(shop: Journey) -> None:
    """Done; run.json is the same document as --json."""
    ran = run(shop)
    assert (ran.exit_code, ran.document["status"]) == (Exit.OK, "done")
    assert ran.records["confirmed"] == 5
    assert customers(shop) == ["1", "2", "3", "4", "5"]
    kept = shop.folder / ".copernica-import" / "runs" / ran.document["run"] / "run.json"
    assert json.loads(kept.read_text()) == ran.document


# A bug cannot be had from outside, so one function is replaced before `main` is called: settling loses a row.
BUG = """
import dataclasses, sys
import pipeline.stage.settle as stage
settle = stage.settle
def lossy(*words, **named):
    settled = settle(*words, **named)
    return dataclasses.replace(settled, rows=settled.rows.head(-1))
stage.settle = lossy
from pipeline.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


# The same for `validate`, which stages nothing: each batch loses an accepted row.
VALIDATE_BUG = """
import dataclasses, sys
from pipeline.validate.batch import Validator
check = Validator.check
def lossy(self, batch):
    checked = check(self, batch)
    return dataclasses.replace(checked, accepted=checked.accepted.head(-1))
Validator.check = lossy
from pipeline.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_1_a_sum_that_is_off_stops_a_validation(shop: Journey) -> None:
    """Data rule 2: what was read is accepted or set aside, also where nothing is sent."""
    job = str(shop.folder / "job.yaml")
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE_BUG, "validate", job, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.BUG
    assert "5 records were read, but 0 malformed, 0 rejected and 4 valid ones" in done.stdout


def test_1_a_sum_that_is_off_stops_the_run_before_anything_is_sent(shop: Journey) -> None:
    """Invariant 1: with the sums broken on purpose (see BUG above) the run ends as a bug, not as a smaller import."""
    done = subprocess.run(
        [sys.executable, "-c", BUG, "run", str(shop.folder / "job.yaml"), "--json"],
        env={**os.environ, **shop.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.BUG
    document = json.loads(done.stdout)
    assert (document["status"], document["exit_code"]) == ("refused", 1)
    assert "5 records" in document["errors"][0]["what"]
    assert "Traceback" in done.stderr
    assert shop.posted() == []


def test_2_wrong_words(shop: Journey) -> None:
    """Usage: only guards can be forced (data rule 36), and nobody is asked anything."""
    ran = run(shop, "--force", "blank_keys")
    assert ran.exit_code == Exit.USAGE
    assert "'blank_keys' is not one of 'already_loaded'" in ran.document["errors"][0]["what"]
    assert shop.sandbox.journal() == []


def test_3_several_faults_of_the_job_in_one_go(shop: Journey) -> None:
    """Each with its place in the file; nothing was read."""
    shop.write("job.yaml", JOB.replace("action: update or add", "action: upsert").replace("  mode: imports\n", ""))
    ran = run(shop)
    assert ran.exit_code == Exit.JOB
    places = [error["where"].removeprefix(f"{shop.folder}/") for error in ran.document["errors"]]
    assert [place.rpartition(" ")[2] for place in places] == ["target.action", "load.mode"]
    assert all(place.startswith("job.yaml:") for place in places)


def test_3_stands_where_faults_of_job_and_api_meet(shop: Journey) -> None:
    """`check` names both, and gives the job's code."""
    shop.write("schema.py", "x = 1\n")
    ran = shop.call("check", shop.folder / "job.yaml", "--set", "target.database=Shoop")
    assert ran.exit_code == Exit.JOB
    assert [error["where"] for error in ran.document["errors"]] == ["schema.py:Shop", "database 'Shoop'"]


def test_3_a_fault_of_the_job_file_hides_none_of_what_it_does_not_touch(shop: Journey) -> None:
    """`check` names a wrong guard, the schema that does not import, and the database that is not there, in one go."""
    shop.write("schema.py", "x = 1\n")
    job = shop.write("job.yaml", JOB + "guards: {min_records: -1}\n")
    ran = shop.call("check", job, "--set", "gards.max_calls=5")
    assert ran.exit_code == Exit.JOB
    places = [error["where"].rpartition(" ")[2] for error in ran.document["errors"]]
    assert places == ["guards.min_records", "gards", "schema.py:Shop"]
    job.write_text(job.read_text().replace("database: Shop", "database: Shoop"))
    assert "database 'Shoop'" in shop.call("check", job).stderr
    for file in (job, shop.folder / "none.yaml", shop.write("list.yaml", "- a\n")):
        assert "there is no token" in shop.call("check", file, COPERNICA_TOKEN="").stderr


def test_3_check_names_the_constants_that_a_run_would_refuse(shop: Journey) -> None:
    """Those that do not fit the schema with those that do not fit the live field, and with the names of exit 5."""
    schema = SCHEMA.replace("import Text", "import Choice, Integer, Text").replace(
        "Text(50, nullable=True)", "Text(60)"
    )
    more = '    Age: int = Integer(nullable=True)\n    Tier: str = Choice("a", "b", nullable=True)\n'
    shop.write("schema.py", schema + more)
    words = ("--set", "constants={City: " + "x" * 51 + ", Age: old, Tier: c}")
    ran = shop.call("check", shop.folder / "job.yaml", *words)
    assert ran.exit_code == Exit.JOB
    places = [error["where"] for error in ran.document["errors"]]
    assert places == ["constants.City", "constants.Age", "constants.Tier", "target column Age", "target column Tier"]
    shop.write("schema.py", SCHEMA)
    assert (
        shop.call(
            "check", shop.folder / "job.yaml", "--set", "constants={City: Ede}", "--set", "ignore=[City]"
        ).exit_code
        == Exit.OK
    )


def test_4_input_refused(shop: Journey) -> None:
    """Nothing was sent, and all accepted rows count as unsent."""
    ran = run(shop, "--set", "guards.min_records=6")
    assert ran.exit_code == Exit.INPUT
    assert ran.document["errors"][0]["where"] == "guards.min_records"
    assert (ran.records["accepted"], ran.records["unsent"], ran.records["confirmed"]) == (5, 5, 0)
    assert shop.posted() == []


def test_5_refused_before_the_first_send(shop: Journey) -> None:
    """The token is another account's than the job says."""
    ran = run(shop, "--set", 'target.account="99"')
    assert ran.exit_code == Exit.API
    assert ran.document["errors"][0]["what"] == "the token belongs to account 34 (Sandbox), the job is for 99"
    assert shop.posted() == []


@pytest.mark.parametrize("api", ["v3", "v4"])
def test_6_a_lost_answer_that_is_not_waited_for_leaves_the_run_open(shop: Journey, api: str) -> None:
    """The second import is taken, its answer lost, and it does not run yet: chunk, file and lines are named."""
    lost = {"kind": "cut", "method": "POST", "path": "*/imports", "nth": 2}
    shop.sandbox.set_faults([lost, {"kind": "hang", "nth": 2}])
    # Without a rebuild, which would make the last import wait for the lost one (data rule 24).
    words = (f"target.api={api}", "target.rebuild=false", "load.wait_s=0")
    ran = run(shop, *words_of(words))
    assert (ran.exit_code, ran.document["status"], ran.document["open"]) == (Exit.INCOMPLETE, "incomplete", True)
    assert (ran.records["confirmed"], ran.records["unknown"]) == (3, 2)
    assert (ran.document["chunks"]["unknown"], ran.document["imports"]) == (1, 2)
    assert "2 rows between dump.csv line 4 and dump.csv line 5" in chunk_of(ran, 2)
    assert shop.sandbox.imports()[1]["name"] == f"{ran.document['run']}/000002"
    assert customers(shop) == ["1", "2", "5"]
    assert ran.document["go_on"].endswith(f"resume {ran.document['run']} --state-dir {shop.state}")


def test_0_a_lost_answer_whose_rows_read_back_is_confirmed(shop: Journey) -> None:
    """The import ran: once it cannot run again its rows are read back and found as they were sent (data rule 28)."""
    shop.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "*/imports", "nth": 2}])
    with leaping(shop.sandbox):
        ran = run(shop)
    assert ran.exit_code == Exit.OK, ran.stderr
    assert (ran.records["confirmed"], ran.records["unknown"], ran.document["imports"]) == (5, 0, 2)
    assert [one["rows"] for one in shop.sandbox.imports()] == [2, 2, 1]
    assert customers(shop) == ["1", "2", "3", "4", "5"]


def test_0_an_import_that_failed_is_sent_again_in_pieces(shop: Journey) -> None:
    """The next whole import shows that it was not the rows' account; then they go one by one (data rule 26)."""
    shop.sandbox.set_faults([{"kind": "fail", "nth": 1, "after_rows": 1, "message": "Disk full"}])
    ran = run(shop)
    assert (ran.exit_code, ran.records["confirmed"]) == (Exit.OK, 5), ran.stderr
    assert [one["rows"] for one in shop.sandbox.imports()] == [2, 2, 1, 1, 1]


def test_6_rows_that_failed_one_by_one_are_named_with_their_file_and_can_be_run_again(shop: Journey) -> None:
    """On the per-profile method each row has an outcome; the run is closed, and the advice can be pasted."""
    refused = {"kind": "400", "method": "PUT", "path": "*/profiles", "nth": 2, "message": "Not this one"}
    shop.sandbox.set_faults([refused])
    ran = run(shop, *words_of(("load.mode=profiles", "load.workers=1", "target.rebuild=false")))
    assert (ran.exit_code, ran.records["failed"], ran.records["confirmed"]) == (Exit.INCOMPLETE, 1, 4), ran.stderr
    assert ran.document["open"] is False
    failed = shop.state / "runs" / ran.document["run"] / "failed.csv"
    assert "Not this one" in failed.read_text()
    assert f"1 row in {failed}: mend, then run again: " in ran.document["go_on"]
    shop.sandbox.set_faults([])
    _, _, pasted = ran.document["go_on"].rpartition(": ")
    words = shlex.split(pasted)
    mended = call(*words[words.index("run") :], environment=shop.environment())
    assert (mended.exit_code, mended.records["confirmed"]) == (Exit.OK, 1), mended.stderr


def test_6_a_rebuild_alone_that_is_not_done_is_the_reason(shop: Journey) -> None:
    """All rows went per profile after the last import failed: exit 6 has an error that names the rebuild (data rule 24)."""
    shop.sandbox.set_faults([{"kind": "fail", "nth": 3, "message": "Disk full"}])
    ran = run(shop, "--set", "load.mode=auto")
    assert (ran.exit_code, ran.records["confirmed"], ran.document["rebuild"]) == (Exit.INCOMPLETE, 5, "not done")
    assert "error: the last import did not end confirmed" in ran.stderr
    assert "   at: rebuild\n" in ran.stderr
    assert ran.document["open"] is False


def test_6_a_report_for_a_person_ends_with_what_to_do(shop: Journey) -> None:
    """The last line of stdout is what to do now."""
    shop.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "message": "Disk full"}])
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(shop.folder / "job.yaml")],
        env={**os.environ, **shop.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.INCOMPLETE
    assert "incomplete" in done.stdout.splitlines()[0]
    assert " resume shop-" in done.stdout.splitlines()[-1]
    assert done.stdout.splitlines()[-1].startswith("The run is open: the next run of the job deals with it")
    assert "Traceback" not in done.stderr


def test_7_another_run_holds_the_lock(shop: Journey) -> None:
    """One run per job at a time, whoever started it."""
    with Lock(shop.folder / ".copernica-import" / "locks" / "shop.lock", "job shop"):
        ran = run(shop)
    assert ran.exit_code == Exit.LOCKED
    assert "another run holds the lock of job shop (pid" in ran.document["errors"][0]["what"]
    assert shop.posted() == []
    assert run(shop).exit_code == Exit.OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_130_interrupted_while_an_import_runs(shop: Journey, number: signal.Signals) -> None:
    """The run writes its summary, names what is not confirmed, and stops."""
    shop.sandbox.set_faults([{"kind": "hang", "nth": 2}])
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", str(shop.folder / "job.yaml"), "--json"],
        env={**os.environ, **shop.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    # The first chunk is confirmed; what comes next never ends.
    assert any("chunk.confirmed" in line for line in running.stderr)
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == Exit.INTERRUPTED
    document = json.loads(stdout)
    assert (document["status"], document["exit_code"]) == ("interrupted", 130)
    assert document["records"]["confirmed"] == 2
    assert document["records"]["confirmed"] + document["records"]["unsent"] == 5
    assert "Traceback" not in stderr


def test_130_ended_before_the_run_begins(shop: Journey) -> None:
    """SIGTERM while a command loads: a document with the reason, not a death by the signal."""
    shop.write("schema.py", "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "validate", str(shop.folder / "job.yaml"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["errors"][0]["what"]) == (130, "interrupted")


def test_every_exit_code_has_a_journey_here() -> None:
    """A code that nobody reaches is not documented behaviour."""
    shown = {int(name.split("_")[1]) for name in globals() if name.startswith("test_") and name.split("_")[1].isdigit()}
    assert shown == {int(code) for code in Exit}


def test_validate_needs_neither_token_nor_network(shop: Journey) -> None:
    """Exit 0 with all accepted rows unsent."""
    ran = call("validate", shop.folder / "job.yaml", environment={"COPERNICA_TOKEN": ""})
    assert (ran.exit_code, ran.document["status"]) == (Exit.OK, "validated")
    assert (ran.records["accepted"], ran.records["unsent"], ran.records["superseded"]) == (5, 5, None)
    assert shop.sandbox.journal() == []


def test_validate_gives_advice_that_it_can_follow(shop: Journey) -> None:
    """It has no `--force` and writes rejects only where told (data rule 4)."""
    shop.write("dump.csv", "CustomerID,City\n1,Ede\n,Ede\n")
    job = shop.folder / "job.yaml"
    (error,) = shop.call("validate", job).document["errors"]
    assert error["do"] == "see and mend the records: --rejects FILE; run sends the others with --force max_rejects"
    rejects = shop.folder / "bad.csv"
    (error,) = shop.call("validate", job, "--rejects", rejects).document["errors"]
    assert error["do"] == f"mend the records in {rejects}; run sends the others with --force max_rejects"
    (error,) = shop.call("validate", job, "--set", "guards.max_rejects=1", "--set", "guards.min_records=9").document[
        "errors"
    ]
    assert error["do"] == "is the dump complete? run takes it with --force min_records"


@pytest.mark.parametrize(
    ("words", "last"),
    [((), "To see and mend what was set aside, add --rejects FILE."), (("--rejects", "bad.csv"), "Mend the rejects")],
)
def test_a_validation_with_rejects_says_where_to_see_them(shop: Journey, words: tuple[str, ...], last: str) -> None:
    """Also where the guards let them pass."""
    shop.write("dump.csv", "CustomerID,City\n1,Ede\n,Ede\n")
    said = [str(shop.folder / word) if word.endswith(".csv") else word for word in words]
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["validate", str(shop.folder / "job.yaml"), "--set", "guards.max_rejects=1", *said]) == Exit.OK
    assert out.getvalue().splitlines()[-1].startswith(last)


def test_a_refused_run_does_not_say_that_no_rebuild_was_asked(shop: Journey) -> None:
    """The job asks for one; the run did not come that far (data rule 24)."""
    shop.write("dump.csv", "CustomerID,City\n,Ede\n")
    ran = run(shop)
    assert (ran.document["status"], ran.document["rebuild"]) == ("refused", None)
    assert run(shop, "--set", "target.rebuild=false").document["rebuild"] is None
