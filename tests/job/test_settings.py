"""`--set` is put over the job file before it is checked."""

from __future__ import annotations

import pytest

from pipeline.config.read import read_job
from pipeline.errors import Problem
from pipeline.model.job import ColumnTarget
from tests.support.job import SMALLEST

ADVICE = "write --set key.path=VALUE; a part with dots is quoted: --set 'columns.\"Orders.OrderID\"=Order.OrderID'"


def test_a_value_is_yaml(write):
    """Texts, numbers, lists and groups are written as in the file; later ones win."""
    settings = [
        "target.database=Other=Name",
        "load.chunk_rows=7",
        "source.null_values=['NULL', x]",
        "guards={max_rejects: 5%}",
        "guards.min_records=3",
        "load.chunk_rows=8",
        'columns."Orders.Total"=Order.Total',
        "columns.'Orders.ID'={to: Order.ID, trim: true}",
        "target.key_fields=[CustomerID, Order.ID]",
        "target.account=",
    ]
    job = read_job(write(SMALLEST), settings)
    assert (job.target.database, job.load.chunk_rows, job.source.null_values) == ("Other=Name", 8, ("NULL", "x"))
    assert (str(job.guards.max_rejects), job.guards.min_records, job.target.account) == ("5%", 3, None)
    assert job.columns == {
        "Orders.Total": ColumnTarget(to="Order.Total"),
        "Orders.ID": ColumnTarget(to="Order.ID", trim=True),
    }


def test_a_setting_mends_what_is_wrong_in_the_file(write):
    """What the file says under the same key is not looked at."""
    text = SMALLEST.replace("api: v4", "api: v9")
    assert read_job(write(text), ["target.api=v3"]).target.api == "v3"


def test_a_setting_does_not_reach_the_other_users_of_an_anchor(write):
    """A merged mapping is a copy."""
    text = SMALLEST + "columns:\n  a: &d {to: A, trim: true}\n  b: {<<: *d, to: B}\n"
    job = read_job(write(text), ["columns.a.trim=false"])
    assert (job.columns["a"].trim, job.columns["b"].trim) == (False, True)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("no_value", Problem("'no_value' names no key", "--set", ADVICE)),
        ("=5", Problem("'=5' names no key", "--set", ADVICE)),
        ("a..b=5", Problem("'a..b=5' names no key", "--set", ADVICE)),
        ("loat.mode=imports", Problem("loat is no key of a job file", "--set loat.mode: loat", "did you mean load?")),
        (
            "load.chunk_row=5",
            Problem("chunk_row is no key of `load`", "--set load.chunk_row", "did you mean chunk_rows?"),
        ),
        (
            "target.api=v9",
            Problem("'v9' does not fit here", "--set target.api", "write v1, v2, v3 or v4"),
        ),
        (
            "http={connect_s: x}",
            Problem("'x' does not fit here", "--set http: http.connect_s", "write a number"),
        ),
        (
            "source.files.0=b.csv",
            Problem("source.files is a list and has no keys", "--set source.files.0", "set source.files as a whole"),
        ),
        (
            "job.name=x",
            Problem("job is a single value and has no keys", "--set job.name", "set job as a whole"),
        ),
        (
            "source.decimal=[",
            Problem(
                "the value is no YAML: expected the node content, but found '<stream end>'",
                "--set source.decimal",
                "put the value in quotes",
            ),
        ),
        (
            "target.token=very-secret",
            Problem(
                "token: a secret never stands in a job file",
                "--set target.token",
                "set COPERNICA_TOKEN and remove it here",
            ),
        ),
    ],
)
def test_a_faulty_setting_names_itself(problems, setting, problem):
    """The place is the `--set`, whatever the file says."""
    assert problems(SMALLEST, setting) == [problem]


def test_a_column_whose_quotes_the_shell_took_is_answered_with_the_quotes(problems):
    """`--set columns."A.B"=X` arrives without its quotes."""
    found = problems(SMALLEST, "columns.Orders.OrderID=Order.OrderID")
    advice = "a column with dots is quoted, and the shell must leave the quotes: --set 'columns.\"A.B\"=Target'"
    assert advice in [problem.do for problem in found]


@pytest.mark.parametrize("setting", ["source.delimiter=|", "source.delimiter= | ", "source.delimiter='|'"])
def test_a_bar_needs_no_quotes_of_yaml(write, setting):
    """The shell takes those around it; to YAML a bare one is the head of a text on the lines below."""
    assert read_job(write(SMALLEST), [setting]).source.delimiter == "|"


def test_a_text_of_many_lines_can_be_set(write):
    """A bar with lines below is what YAML says."""
    assert read_job(write(SMALLEST), ["constants.A=|\n  x\n  y"]).constants == {"A": "x\ny"}
