"""`check` as a list of ticks and crosses, with what the first records of the dumps would become."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.command import call_plain
from tests.support.journey import Journey

STRUCTURE = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "CustomerID", "type": "text", "length": 20},
                {"name": "City", "type": "text", "length": 50},
                {"name": "Born", "type": "empty_date"},
            ],
        }
    ]
}
SCHEMA = """\
import datetime
import pandera.polars as pa
from pipeline import fields

class Shop(pa.DataFrameModel):
    CustomerID: str = fields.Text(20)
    City: str = fields.Text(50, nullable=True)
    Born: datetime.date = fields.Date(nullable=True)
"""
JOB = """\
job: shop
source: {files: [dump.csv], delimiter: ","}
schema: schema.py:Shop
target:
  {api: v4, database: Shop, action: update or add, key_fields: [CustomerID], ignore_empty_fields: true, followups: false,
   rebuild: true}
load: {mode: imports}
guards: {max_rejects: 100%}
"""


def opened(journey: Callable[..., Journey], dump: str | bytes) -> Journey:
    here = journey(STRUCTURE)
    here.write("schema.py", SCHEMA)
    here.write("job.yaml", JOB)
    here.write("dump.csv", dump)
    return here


def whats(here: Journey) -> list[str]:
    """Return the warnings of a check that ends well."""
    ran = here.call("check", here.folder / "job.yaml")
    assert ran.exit_code == 0, ran.stdout
    return [warning["what"] for warning in ran.document["warnings"]]


def test_a_key_without_an_index_is_named_before_the_run(journey: Callable[..., Journey]) -> None:
    """What a run would log is known before it."""
    here = opened(journey, "CustomerID,City,Born\n1,Ede,2000-01-02\n")
    assert "the key CustomerID has no index; the database holds 0 profiles" in whats(here)


def test_texts_that_look_like_a_null_are_pointed_out_with_their_count(journey: Callable[..., Journey]) -> None:
    """`NULL` would be sent as four letters; two of a kind are nobody's business."""
    rows = "".join(f"{at},{'NULL' if at % 2 else 'N/A'},\n" for at in range(9)) + "x,None,\ny,None,\n"
    found = whats(opened(journey, "CustomerID,City,Born\n" + rows))
    assert [one for one in found if "hold the text" in one] == [
        "5 cells of City hold the text 'N/A', which will be sent as it stands",
        "4 cells of City hold the text 'NULL', which will be sent as it stands",
    ]


def test_dates_of_another_form_are_told_with_the_form(journey: Callable[..., Journey]) -> None:
    """Two hundred bad dates have one cause."""
    rows = "".join(f"{at},Ede,{at + 10}-03-1990\n" for at in range(9))
    here = opened(journey, "CustomerID,City,Born\n" + rows)
    ran = here.call("check", here.folder / "job.yaml")
    advice = {one["what"]: one["do"] for one in ran.document["warnings"]}
    what = "the values of Born that were set aside as not_a_date seem to be dates of the form %d-%m-%Y"
    assert advice[what] == 'write `dates: ["%d-%m-%Y"]` in source or for the column'
    assert any(one.startswith("9 of the 9 records would be set aside: 9 not_a_date in Born (line 2)") for one in advice)


def test_lines_that_do_not_decode_name_the_encoding_that_would(journey: Callable[..., Journey]) -> None:
    """The file is Latin-1 and the job says nothing of it."""
    rows = "".join(f"{at},Köln café,\n" for at in range(5)).encode("iso-8859-1")
    found = whats(opened(journey, b"CustomerID,City,Born\n" + rows))
    assert "lines that are no utf-8 would decode as cp1252" in found


def test_a_dump_that_has_not_arrived_is_a_warning(journey: Callable[..., Journey]) -> None:
    """The job is right; the night will bring the file."""
    here = opened(journey, "")
    (here.folder / "dump.csv").unlink()
    assert "no file of that name" in whats(here)


def test_a_dump_that_is_empty_is_a_problem_of_the_input(journey: Callable[..., Journey]) -> None:
    """It has arrived, and a run would refuse it: exit 4, beside a warning of the one that has not arrived."""
    here = opened(journey, "")
    ran = here.call("check", here.folder / "job.yaml", "--set", "source.files=[dump.csv, later.csv]")
    assert (ran.exit_code, [one["what"] for one in ran.document["errors"]]) == (4, ["is empty (0 bytes)"])


def test_the_folder_that_the_runs_of_a_host_share_is_named(journey: Callable[..., Journey]) -> None:
    """With what a run would refuse in it: a folder that is a file, exit 3."""
    here = opened(journey, "CustomerID,City,Born\n1,Ede,2000-01-02\n")
    host = here.environment()["COPERNICA_HOST_DIR"]
    facts = here.call("check", here.folder / "job.yaml").document["facts"]
    assert f"registers and locks of databases: {host}" in facts
    no_folder = f"{here.folder}/job.yaml/x"
    refused = here.call("check", here.folder / "job.yaml", COPERNICA_HOST_DIR=no_folder)
    assert (refused.exit_code, refused.document["errors"][0]["where"]) == (3, no_folder)


def test_a_header_that_does_not_fit_is_a_problem_of_the_input(journey: Callable[..., Journey]) -> None:
    """Exit 4, as the run would end."""
    here = opened(journey, "CustomerID,Town,Born\n1,Ede,\n")
    ran = here.call("check", here.folder / "job.yaml")
    assert (ran.exit_code, ran.document["status"]) == (4, "refused")


def test_the_screen_is_a_list_of_marks(journey: Callable[..., Journey]) -> None:
    """Without colour in a pipe; every line begins with its mark or is advice."""
    here = opened(journey, "CustomerID,City,Born\n1,Ede,2000-01-02\n")
    ran = call_plain("check", here.folder / "job.yaml", environment=here.environment(COLUMNS="80"))
    assert ran.exit_code == 0
    lines = ran.stdout.splitlines()
    assert lines[0] == "✓ job file job.yaml: job shop"
    assert "\x1b" not in ran.stdout
    assert all(len(line) <= 80 for line in lines if not line.startswith("Next: "))
    assert lines[-1].startswith("Next: ")
    bad = call_plain("check", here.folder / "job.yaml", "--set", "target.database=No", environment=here.environment())
    assert bad.exit_code == 5
    assert "✗ database 'No'" in bad.stdout
    assert bad.stdout.splitlines()[-1] == "1 thing to mend (exit 5)"


def test_the_next_command_has_the_settings_and_the_state_folder(journey: Callable[..., Journey]) -> None:
    """It is for the job that was checked, not for another one."""
    here = opened(journey, "CustomerID,City,Born\n1,Ede,2000-01-02\n")
    words = ("--set", "guards.max_rejects=2%", "--state-dir", here.folder / "my state")
    last = call_plain("check", here.folder / "job.yaml", *words, environment=here.environment()).stdout.splitlines()[-1]
    assert last.endswith(
        f" plan {here.folder}/job.yaml --set guards.max_rejects=2% --state-dir '{here.folder}/my state'"
    )
    lacking = ("--set", "target.database=Other", *words)
    last = call_plain("setup", here.folder / "job.yaml", *lacking, environment=here.environment()).stdout.splitlines()[
        -1
    ]
    assert last.endswith(
        f" setup {here.folder}/job.yaml --yes --set target.database=Other --set guards.max_rejects=2%"
        f" --state-dir '{here.folder}/my state'"
    )


def test_how_many_of_the_first_records_were_read_is_clear(journey: Callable[..., Journey]) -> None:
    """One, all of them, or the first thousand."""
    here = opened(journey, "")
    for count, words in ((1, "1 record"), (2, "all 2 records"), (1_001, "all of the first 1,000 records")):
        here.write("dump.csv", "CustomerID,City,Born\n" + "".join(f"{at},Ede,\n" for at in range(count)))
        assert f"dump.csv: {words} can be sent" in here.call("check", here.folder / "job.yaml").document["facts"]
