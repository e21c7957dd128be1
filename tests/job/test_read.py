"""A job file becomes a Job with its defaults, and nothing but true, false, null and numbers is special."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.read import read_job
from pipeline.errors import JobError, Problem
from pipeline.model.job import ColumnTarget
from pipeline.model.measures import Limit
from tests.support.job import SMALLEST

FULL = """\
job: customers
source:
  files: [../sample_data/customers-*.csv]
  format: csv
  delimiter: tab
  quote: "'"
  header: [a, b]
  encoding: cp1252
  null_values: ["NULL", no]
  decimal: ","
  thousands: "."
  dates: ["%Y-%m-%d"]
  trim: true
  missing_keys: empty
  skip_lines: 2
  max_record_bytes: 2 KiB
  only_new: false
columns:
  customer_no: CustomerID
  born: {to: Birthday, dates: ["%d-%m-%Y"], trim: true}
  Orders.OrderID: Order.OrderID
  likes_news: interest.news
ignore: [internal_note]
constants: {Source: shop}
schema: ../schemas/customers.py:Customers
target:
  api: v3
  database: "0012"
  account: "34"
  action: ignore or add
  key_fields: [CustomerID, Order.OrderID]
  ignore_empty_fields: false
  on_several_matches: all
  followups: true
  rebuild: false
load:
  mode: auto
  chunk_rows: 5
  chunk_bytes: 300
  poll: {first_s: 2, most_s: 0.5}
http: {connect_s: 3}
guards:
  max_rejects: 25
  min_records: 0
state: {keep_staged: 7d}
"""


def test_a_small_job_has_the_defaults_of_the_design(write):
    """What is not said has the values that the design names."""
    job = read_job(write(SMALLEST))
    source = job.source.model_dump()
    assert source == {
        "files": ("a.csv",),
        "format": None,
        "delimiter": ",",
        "quote": '"',
        "escape": None,
        "header": "first",
        "encoding": "utf-8",
        "null_values": (),
        "decimal": ".",
        "thousands": None,
        "dates": (),
        "timezone": "Europe/Amsterdam",
        "true_values": (),
        "false_values": (),
        "fractions": "zero",
        "trim": False,
        "missing_keys": None,
        "skip_lines": 0,
        "dump": "delta",
        "max_record_bytes": 1024**2,
        "only_new": False,
    }
    assert job.load.model_dump() == {
        "mode": "imports",
        "send": "all",
        "full_every": 30,
        "gone_after": 2,
        "chunk_rows": 10_000,
        "chunk_bytes": 4 * 1024**2,
        "max_row_bytes": 16 * 1024**2,
        "in_flight": 1,
        "workers": 4,
        "max_calls_per_s": None,
        "poll": {"first_s": "auto", "factor": 1.6, "most_s": 60, "give_up_s": 14_400},
        "settle_after_s": 3600,
        "max_settle_calls": 2000,
        "wait_s": 14_400,
        "before": False,
        "verify_sample": 10,
    }
    assert job.http.model_dump() == {"connect_s": 10, "read_s": 60, "import_read_s": 300, "retry_budget_s": 900}
    assert job.guards.model_dump() == {
        "max_rejects": "1.00%",
        "min_records": 1,
        "min_share_of_last": None,
        "min_new_files": None,
        "max_age": None,
        "max_calls": None,
        "max_deletes": None,
        "max_unmatched": None,
        "unique_keys": "sample",
    }
    assert (job.state.keep_staged, job.columns, job.ignore, job.constants) == (0, {}, (), {})
    assert (job.target.account, job.target.delete_target, job.target.on_several_matches) == (None, None, "fail")


def test_everything_that_is_said_is_kept(write):
    """A job file with all keys comes through value by value."""
    path = write(FULL)
    job = read_job(path)
    assert (job.path, job.folder, job.schema_path) == (path, path.parent, "../schemas/customers.py:Customers")
    assert job.source.model_dump(include={"delimiter", "quote", "header", "encoding", "null_values", "trim"}) == {
        "delimiter": "\t",
        "quote": "'",
        "header": ("a", "b"),
        "encoding": "cp1252",
        "null_values": ("NULL", "no"),
        "trim": True,
    }
    assert (job.source.decimal, job.source.thousands, job.source.max_record_bytes) == (",", ".", 2048)
    assert (job.source.missing_keys, job.source.skip_lines) == ("empty", 2)
    assert job.columns == {
        "customer_no": ColumnTarget(to="CustomerID"),
        "born": ColumnTarget(to="Birthday", dates=("%d-%m-%Y",), trim=True),
        "Orders.OrderID": ColumnTarget(to="Order.OrderID"),
        "likes_news": ColumnTarget(to="interest.news"),
    }
    assert (job.ignore, job.constants) == (("internal_note",), {"Source": "shop"})
    assert (job.target.database, job.target.account, job.target.rebuild) == ("0012", "34", False)
    assert (job.load.chunk_bytes, job.load.poll.first_s, job.load.poll.most_s) == (300, 2, 0.5)
    assert (job.http.connect_s, job.guards.max_rejects, job.state.keep_staged) == (3, Limit(count=25), 7)


def test_only_lower_words_of_yaml_1_2_are_special(write):
    """yes, no, on, off, dates, octal and grouped numbers are texts."""
    text = SMALLEST + "ignore: [yes, no, on, off, y, 2020-01-01, 0o17, 0x1F, 1_000, 12:30:45, =, '1', \"null\"]\n"
    expected = ("yes", "no", "on", "off", "y", "2020-01-01", "0o17", "0x1F", "1_000", "12:30:45", "=", "1", "null")
    assert read_job(write(text)).ignore == expected


def test_true_false_and_null_are_special_in_this_spelling_only(write):
    """NULL, ~ and True are texts; so a dump's NULL needs no quotes."""
    text = SMALLEST + "ignore: [NULL, Null, ~, TRUE, True, FALSE, False, .inf, .nan]\n"
    assert read_job(write(text)).ignore == ("NULL", "Null", "~", "TRUE", "True", "FALSE", "False", ".inf", ".nan")
    assert read_job(write(SMALLEST), ["source.null_values=[NULL]"]).source.null_values == ("NULL",)


def test_a_number_is_one_only_where_a_number_is_expected(write):
    """Elsewhere it is the text that was written: 007 and 1.10 keep their noughts."""
    job = read_job(
        write(
            SMALLEST.replace("database: Customers", "database: 0012\n  account: 34")
            + "  chunk_rows: 007\n  poll: {first_s: 1.50, most_s: 1e1}\n"
            + "ignore: [007, 1.10, 1e5, -0, 12345678901234567890]\nconstants: {A: 1.0, B: +5}\ncolumns: {a: 2024}\n"
        )
    )
    assert job.ignore == ("007", "1.10", "1e5", "-0", "12345678901234567890")
    assert (job.constants, job.columns["a"].to) == ({"A": "1.0", "B": "+5"}, "2024")
    assert (job.target.database, job.target.account) == ("0012", "34")
    assert (job.load.chunk_rows, job.load.poll.first_s, job.load.poll.most_s) == (7, 1.5, 10.0)


def test_a_key_is_the_text_that_stands_there(write):
    """A dump column may be called 2024, null or true."""
    job = read_job(write(SMALLEST + "columns: {2024: A, null: B, true: C, 1.10: D}\n"))
    assert list(job.columns) == ["2024", "null", "true", "1.10"]


def test_anchors_and_merges_are_taken(write):
    """A merged mapping gives what is not said beside it."""
    job = read_job(
        write(
            SMALLEST + "columns:\n  a: &d {to: A, dates: ['%d-%m-%Y'], trim: true}\n  b: {<<: *d, to: B, trim: false}\n"
        )
    )
    assert job.columns["b"] == ColumnTarget(to="B", dates=("%d-%m-%Y",), trim=False)


def test_a_database_id_needs_no_quotes(write):
    """All digits are an id, with or without quotes."""
    assert read_job(write(SMALLEST.replace("database: Customers", "database: 1234"))).target.database == "1234"


def test_a_bom_is_removed(tmp_path):
    """A job file saved with a byte order mark reads as one without."""
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.encode())
    assert read_job(path).job == "customers"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", Problem("the job file is empty", "J", "write one, see the README")),
        (b"# only a remark\n", Problem("the job file is empty", "J", "write one, see the README")),
        (b"- a\n", Problem("the job file is a list, not keys with values", "J", "begin with `job: NAME`")),
        (b"a,b\n", Problem("the job file is a single value, not keys with values", "J", "begin with `job: NAME`")),
        (b"job: x\n\xe9: 1\n", Problem("the job file is not UTF-8", "J:2", "save it as UTF-8")),
        (
            b"job: x\nsource: [a\n",
            Problem(
                "this is no YAML: expected ',' or ']', but got '<stream end>'",
                "J:3:1",
                "mend it; texts with : or # need quotes",
            ),
        ),
        (
            b"job: *nobody\n",
            Problem(
                "this is no YAML: found undefined alias 'nobody'", "J:1:6", "mend it; texts with : or # need quotes"
            ),
        ),
        (
            b"job: a\x00b\n",
            Problem(
                "this is no YAML: it holds a character that YAML forbids", "J", "mend it; texts with : or # need quotes"
            ),
        ),
        (
            b"job: " + b"[" * 500,
            Problem("this is no YAML: it is nested too deeply", "J", "mend it; texts with : or # need quotes"),
        ),
        (
            b"x" * (1024**2 + 1),
            Problem("it is larger than 1 MiB and so no job file", "J", "JOB comes before the dumps"),
        ),
    ],
)
def test_what_is_no_job_file_is_said_in_one_word(tmp_path, content, problem):
    """A file that cannot be read at all is one problem, with its place where there is one."""
    path = tmp_path / "J"
    path.write_bytes(content)
    with pytest.raises(JobError) as error:
        read_job(path)
    (found,) = error.value.problems
    assert Problem(found.what, found.where.replace(f"{tmp_path}/", ""), found.do) == problem


def test_a_missing_job_file_and_a_folder_are_told_apart(tmp_path):
    """The path of JOB is checked by reading it."""
    with pytest.raises(JobError, match="there is no such job file"):
        read_job(tmp_path / "none.yaml")
    with pytest.raises(JobError, match="this is a folder, not a job file"):
        read_job(tmp_path)
    with pytest.raises(JobError, match="this is no path of a file"):
        read_job(Path("a\0b"))
