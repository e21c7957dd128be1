"""Everything that can be handed over wrongly ends in one clear message, the documented exit code, and nothing sent."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.shop import SCHEMA, STRUCTURE
from tests.support.command import Ran
from tests.support.journey import Journey

JOB = """\
job: shop
source:
  files: ["dump*"]
  format: csv
  delimiter: ","
schema: schema.py:Shop
target:
  api: v4
  database: Shop
  action: update or add
  key_fields: [CustomerID]
  ignore_empty_fields: true
  followups: false
  rebuild: false
load: {mode: imports}
http: {retry_budget_s: 0}
"""
GOOD = b"CustomerID,City\n1,Ede\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("customers.csv", GOOD)
    return held.getvalue()


def cut_gzip() -> bytes:
    rows = "".join(f"{number},{number * 7919 % 1000}\n" for number in range(20_000))
    return gzip.compress(b"CustomerID,City\n" + rows.encode())[:-3000]


def late_key() -> bytes:
    rows = [{"CustomerID": str(number), "City": "Ede"} for number in range(3000)]
    return "\n".join(json.dumps(row) for row in [*rows, {"CustomerID": "3000", "Shoe": "42"}]).encode()


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Journey:
    here = journey(STRUCTURE)
    here.write("schema.py", SCHEMA)
    here.write("job.yaml", JOB)
    return here


def run(here: Journey, *words: str, job: str = "job.yaml", **environment: str) -> Ran:
    return here.call("run", here.folder / job, *words, **environment)


def refused(here: Journey, ran: Ran, exit_code: int) -> dict[str, str]:
    """Check what every refusal has in common, and give its one error with the folder of the test taken out."""
    assert ran.exit_code == exit_code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert here.posted() == []
    assert (ran.document["status"], ran.document["exit_code"]) == ("refused", exit_code)
    assert len(ran.document["errors"]) == 1, ran.document["errors"]
    error = ran.document["errors"][0]
    # The same words for the person as for the program.
    for title, text in (("error: ", error["what"]), ("at: ", error["where"]), ("do: ", error["do"])):
        assert text
        assert f"{title}{text}\n" in ran.stderr
    return {key: text.replace(f"{here.folder}/", "") for key, text in error.items()}


# --- the job and its schema: exit 3


@pytest.mark.parametrize(
    ("text", "what", "where", "do"),
    [
        (None, "there is no such job file", "job.yaml", "check the path of JOB"),
        ("job: [shop\n  source: {x", "this is no YAML: expected ',' or ']', but got ':'", "job.yaml:2:9", "mend it"),
        ("just words", "the job file is a single value, not keys with values", "job.yaml", "begin with `job: NAME`"),
        (PNG, "the job file is not UTF-8", "job.yaml:1", "save it as UTF-8"),
        (b"x" * 2_000_000, "it is larger than 1 MiB", "job.yaml", "JOB comes before the dumps"),
    ],
    ids=["missing", "no yaml", "words", "an image", "a dump"],
)
def test_a_job_file_that_is_none(shop: Journey, text: str | bytes | None, what: str, where: str, do: str) -> None:
    """Missing, not YAML, or something else altogether: exit 3 with its place, and nobody is asked anything."""
    (shop.folder / "job.yaml").unlink()
    if text is not None:
        shop.write("job.yaml", text)
    error = refused(shop, run(shop), 3)
    assert error["what"].startswith(what)
    assert error["where"] == where
    assert error["do"].startswith(do)
    assert shop.sandbox.journal() == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "there is no file schema.py"),
        ("import no_such_module_here\n", "the module does not import: ModuleNotFoundError: No module named 'no_such_m"),
        ("class Shop(:\n", "the module does not import: SyntaxError: invalid syntax (schema.py, line 1)"),
        ("raise SystemExit(0)\n", "the module does not import: SystemExit"),
        ("x = 1\n", "the module has no Shop"),
    ],
    ids=["missing", "imports nothing known", "no Python", "ends the program", "has no schema"],
)
def test_a_schema_that_does_not_import(shop: Journey, text: str | None, what: str) -> None:
    """Exit 3 with the schema's name and Python's reason; nothing was read and nobody asked."""
    shop.write("dump.csv", GOOD)
    (shop.folder / "schema.py").unlink()
    if text is not None:
        shop.write("schema.py", text)
    error = refused(shop, run(shop), 3)
    assert error["what"].startswith(what)
    assert "schema.py:Shop" in error["where"]
    assert shop.sandbox.journal() == []


def test_no_token(shop: Journey) -> None:
    """Exit 3: the environment belongs to the job."""
    shop.write("dump.csv", GOOD)
    error = refused(shop, run(shop, COPERNICA_TOKEN=""), 3)
    assert error == {
        "what": "there is no token",
        "where": "COPERNICA_TOKEN",
        "do": "set COPERNICA_TOKEN, or COPERNICA_TOKEN_FILE to its file",
    }
    assert shop.sandbox.journal() == []


# --- the API: exit 5


@pytest.mark.parametrize("api", ["v3", "v4"])
def test_an_unknown_database(shop: Journey, api: str) -> None:
    """Exit 5 with the name as the job has it."""
    shop.write("dump.csv", GOOD)
    error = refused(shop, run(shop, "--set", "target.database=Shoop", "--set", f"target.api={api}"), 5)
    assert "refused" in error["what"]
    assert error["where"] == "database 'Shoop'"
    assert error["do"].startswith("see target.database: does account 34 (Sandbox) have it")


@pytest.mark.parametrize("api", ["v3", "v4"])
def test_a_wrong_token(shop: Journey, api: str) -> None:
    """Exit 5, and the token itself is shown nowhere."""
    shop.write("dump.csv", GOOD)
    ran = run(shop, "--set", f"target.api={api}", COPERNICA_TOKEN="this-is-the-wrong-token")
    error = refused(shop, ran, 5)
    assert "the token is not accepted" in error["what"]
    assert error["where"] == "the token"
    assert error["do"].startswith("copy the token again into COPERNICA_TOKEN")
    assert "this-is-the-wrong-token" not in ran.stderr + ran.stdout


@pytest.mark.parametrize(
    ("api", "dead"), [("v3", "COPERNICA_API_URL"), ("v4", "COPERNICA_API_URL"), ("v4", "COPERNICA_AUTH_URL")]
)
def test_a_dead_server(shop: Journey, api: str, dead: str) -> None:
    """Exit 5 with the reason, after the waiting that the job allows (none here); v4 has its tokens from another host."""
    shop.write("dump.csv", GOOD)
    error = refused(shop, run(shop, "--set", f"target.api={api}", **{dead: "http://127.0.0.1:9"}), 5)
    assert "Connection refused" in error["what"]
    assert error["do"] == f"is the server up, and {dead} right?"


# --- the dumps: exit 4


def test_a_folder(shop: Journey) -> None:
    """A dump that is a folder: its files have to be named."""
    (shop.folder / "dump.csv").mkdir()
    error = refused(shop, run(shop), 4)
    assert (error["what"], error["where"]) == ("is a folder", "dump.csv")
    assert error["do"] == "name its files, such as dump.csv/*.csv"


def test_a_pattern_that_finds_nothing(shop: Journey) -> None:
    """The dump did not arrive."""
    error = refused(shop, run(shop), 4)
    assert error["where"] == "dump*"
    assert error["what"].startswith("no file")


def test_a_file_on_the_command_line_that_is_not_there(shop: Journey) -> None:
    """The same for a name."""
    error = refused(shop, run(shop, "none.csv"), 4)
    assert (error["what"], error["where"]) == ("no file of that name", "none.csv")


@dataclass(frozen=True)
class Dump:
    """A dump that is refused: its content, format and message."""

    content: bytes
    what: str
    where: str = "dump"
    do: str = ""
    format: str = "csv"
    name: str = "dump"


DUMPS = {
    "0 bytes": Dump(b"", "is empty (0 bytes)", do="see whether the export went wrong"),
    "an image": Dump(PNG, "is an image", do="see whether this is the right file"),
    "a zip": Dump(zipped(), "is a zip archive", do="name an archive of one file .zip"),
    "a header of 10 MB": Dump(
        b"column0000001," * 750_000 + b"\n1\n",
        "the header is longer than 1 MiB",
        do="mend the header, or see source.delimiter",
    ),
    "10 MB without a line end": Dump(b"x" * 10_000_000, "the header is longer than 1 MiB"),
    "a column is missing": Dump(b"CustomerID\n1\n", "column missing: City", do="see whether the delimiter"),
    "an unknown column": Dump(
        b"CustomerID,City,Shoe\n1,Ede,42\n", "column not known to the job: Shoe", do="name it under columns or ignore"
    ),
    "a column twice": Dump(b"CustomerID,City,City\n1,Ede,Ede\n", "the header has a column twice: City"),
    "a gzip that breaks off": Dump(
        cut_gzip(), "the gzip archive is broken after about", "dump.gz", "copy or export it again", name="dump.gz"
    ),
    "no gzip": Dump(GOOD, "the gzip archive is broken", "dump.gz", "copy or export it again", name="dump.gz"),
    "no zstd": Dump(GOOD, "the zstd archive is broken", "dump.zst", "copy or export it again", name="dump.zst"),
    "an image as JSON": Dump(PNG, "is an image", format="json"),
    "an image as NDJSON": Dump(PNG, "is an image", format="ndjson"),
    "no JSON array": Dump(b"hello", "is no JSON array", do="see source.format", format="json"),
    "JSON that breaks off": Dump(
        b'[{"CustomerID": "1", "City": "Ede"},\n {"CustomerID": "2"',
        "Expecting ',' delimiter, after 1 good element",
        "dump, line 2, byte 56",
        "export it again",
        format="json",
    ),
    "a late unknown key": Dump(
        late_key(),
        "key not known to the job: 'Shoe'",
        "dump, line 3001, record 3001",
        "name it under columns or ignore",
        format="ndjson",
    ),
}


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS.keys())
def test_a_dump_that_is_no_dump(shop: Journey, dump: Dump) -> None:
    """Exit 4 with the file, the line where it applies, and what to do; not one record of it is sent."""
    shop.write(dump.name, dump.content)
    error = refused(shop, run(shop, "--set", f"source.format={dump.format}"), 4)
    assert error["what"].startswith(dump.what)
    assert error["where"] == dump.where
    assert error["do"].startswith(dump.do)


def test_another_delimiter_than_the_job_names(shop: Journey) -> None:
    """The header stands there as it was read, so that one sees why."""
    shop.write("dump.csv", b"CustomerID;City\n1;Ede\n")
    ran = run(shop)
    assert ran.exit_code == 4
    first = ran.document["errors"][0]
    assert first["what"] == "column missing: CustomerID, City; there are CustomerID;City"
    assert first["do"].startswith("its columns fit with ';' between them: set source.delimiter")
    assert shop.posted() == []


def test_all_bad_files_are_named_and_the_good_one_is_not_sent(shop: Journey) -> None:
    """One refused file refuses the run, and all such files are named in one go."""
    for name, content in (("dump1", GOOD), ("dump2", PNG), ("dump3", b"CustomerID\n1\n")):
        shop.write(name, content)
    ran = run(shop)
    assert ran.exit_code == 4
    assert [error["where"] for error in ran.document["errors"]] == ["dump2", "dump3"]
    assert shop.posted() == []


@pytest.mark.parametrize("command", ["run", "validate"])
def test_bad_files_are_named_at_whatever_stage_they_are_refused(shop: Journey, command: str) -> None:
    """Those refused at first sight do not hide those that are refused when they are read (data rule 7)."""
    (shop.folder / "folder").mkdir()
    bad = {
        "zero": b"",
        "image": PNG,
        "double": b"CustomerID,City,City\n",
        "late": late_key(),
        "gone": None,
        "folder": None,
    }
    for name, content in ({"good": GOOD} | bad).items():
        if content is not None:
            shop.write(name, content)
    names = [str(shop.folder / name) for name in ("good", *bad)]
    ran = shop.call(command, shop.folder / "job.yaml", *names)
    assert ran.exit_code == 4
    assert {Path(error["where"]).name for error in ran.document["errors"]} == set(bad)
    assert shop.sandbox.journal() == []


def test_a_dump_with_a_header_alone_is_no_records_and_no_fault(shop: Journey) -> None:
    """The guard min_records asks a person; forced, the run is done with nothing to send."""
    shop.write("dump.csv", "CustomerID,City\n")
    error = refused(shop, run(shop), 4)
    assert (error["what"], error["where"]) == ("0 good records, the job expects at least 1", "guards.min_records")
    assert "--force min_records" in error["do"]
    ran = run(shop, "--force", "min_records")
    assert ran.exit_code == 0, ran.stderr
    assert ran.records["read"] == 0
    assert shop.posted() == []


def test_too_many_rejects_stop_the_run_and_stand_in_the_rejects_file(shop: Journey) -> None:
    """Exit 4 by max_rejects; the file to mend is there all the same."""
    shop.write("dump.csv", b"CustomerID,City\n1,Ede\n,Delft\n")
    ran = run(shop)
    error = refused(shop, ran, 4)
    assert error["what"] == "1 of 2 records (50.0%) were set aside, the job allows 1%"
    assert error["where"] == "guards.max_rejects"
    assert ",Delft,dump.csv,3,2,key_blank,CustomerID," in Path(ran.document["rejects"]).read_text()


def test_a_name_that_the_database_does_not_have(shop: Journey) -> None:
    """Exit 5 before the first send, with the column."""
    shop.write("schema.py", SCHEMA + "    Shoe: str = Text(5, nullable=True)\n")
    shop.write("dump.csv", b"CustomerID,City,Shoe\n1,Ede,42\n")
    error = refused(shop, run(shop), 5)
    assert "Shoe" in error["what"] + error["where"]
