"""Rules between keys."""

from __future__ import annotations

import pytest

from pipeline.config.read import read_job
from pipeline.model.measures import Limit
from tests.support.job import SMALLEST


@pytest.mark.parametrize(
    ("key", "value", "means"),
    [
        ("source.only_new", "true", True),
        ("target.api", "v1", "v1"),
        ("load.mode", "profiles", "profiles"),
        ("load.in_flight", "4", 4),
        ("load.before", "true", True),
        ("engine.processes", "4", 4),
        ("engine.dask", "tcp://scheduler:8786", "tcp://scheduler:8786"),
        ("guards.min_share_of_last", "80%", 0.8),
        ("guards.min_new_files", "2", 2),
        ("guards.max_age", "26h", 26 * 3600),
        ("guards.max_age", "2d", 2 * 86_400),
        ("guards.max_calls", "5000", 5000),
        ("guards.max_deletes", "null", None),
        ("guards.max_unmatched", "1%", Limit(share=0.01)),
        ("guards.unique_keys", "all", "all"),
    ],
)
def test_what_is_built_may_be_said(write, key, value, means):
    """The limits and modes of the design are taken, and mean what they say."""
    section, name = key.split(".")
    job = read_job(write(SMALLEST), [f"{key}={value}"])
    assert getattr(getattr(job, section), name) == means


def test_a_delete_says_what_goes_and_how_many_may(write):
    """A complete delete job is taken (data rule 34)."""
    job = read_job(write(SMALLEST), ["target.action=delete", "target.delete_target=profile", "guards.max_deletes=10"])
    assert (job.target.action, job.target.delete_target, job.guards.max_deletes) == (
        "delete",
        "profile",
        Limit(count=10),
    )


@pytest.mark.parametrize(
    ("settings", "where", "what"),
    [
        (["source.decimal=','", "source.thousands=','"], "source.thousands",
         "decimal and thousands are the same character"),
        (["source.decimal=','", "columns.a={to: A, thousands: ','}"], "columns.a.thousands",
         "decimal and thousands are the same character"),
        (["source.true_values=[J]"], "source.true_values", "true_values and false_values go together"),
        (["source.true_values=[J]", "source.false_values=[N]", "columns.a={to: A, false_values: []}"],
         "columns.a", "true_values and false_values go together"),
        (["source.true_values=[J, X]", "source.false_values=[N, X]"], "source.true_values",
         "'X' means true and false at once"),
        (["source.dates=['%d-%m']"], "source.dates",
         "the form '%d-%m' cannot be read: it does not carry year, month and day"),
        (["columns.a={to: A, dates: ['%Q']}"], "columns.a.dates",
         "the form '%Q' cannot be read: %Q is not supported"),
        (["source.timezone=localtime"], "source.timezone", "there is no time zone 'localtime'"),
        (["source.timezone=Europe"], "source.timezone", "there is no time zone 'Europe'"),
        (["columns.a={to: A, timezone: ../etc/passwd}"], "columns.a.timezone",
         "there is no time zone '../etc/passwd'"),
        (["source.encoding=rot13"], "source.encoding", "'rot13' is no text encoding that Python knows"),
        (["source.encoding=punycode"], "source.encoding", "'punycode' is no text encoding that Python knows"),
        (["source.encoding=idna"], "source.encoding", "'idna' is no text encoding that Python knows"),
        (["source.encoding=klingon"], "source.encoding", "'klingon' is no text encoding that Python knows"),
        (["source.header=[A, B, A]"], "source.header", "the column 'A' stands twice"),
        (["source.header=[A, ' ']"], "source.header", "a column name is blank"),
        (["columns={a: X, b: X}"], "columns.b", "the columns 'a' and 'b' both go to X"),
        (["columns.a=X", "ignore=[a]"], "columns.a", "the column 'a' has a target and is ignored too"),
        (["columns.a=A.B.C", "target.key_fields=[K, A.K]"], "columns.a", "'A.B.C' is no target"),
        (["columns.a='Order.'", "target.key_fields=[K, Order.K]"], "columns.a", "'Order.' is no target"),
        (["constants.CustomerID=x"], "constants.CustomerID",
         "'CustomerID' is a key field, and a constant is never a key"),
        (["constants.X=x", "columns.a=X"], "constants.X", "'X' is a constant, and the column 'a' goes to it too"),
        (["target.key_fields=[K, K]"], "target.key_fields", "the key 'K' stands twice"),
        (["target.key_fields=[K, interest.news]"], "target.key_fields", "the interest 'interest.news' is no key"),
        (["target.key_fields=[]"], "target.key_fields", "no key is named"),
        (["target.key_fields=[Order.ID]"], "target.key_fields", "no key of the profile is named"),
        (["target.key_fields=[]", "target.action=add", "columns.a=Order.ID"], "target.key_fields", "no key is named"),
        (["columns.a=Order.Total"], "target.key_fields",
         "no key of the collection 'Order' is named, so each run would add its rows again"),
        (["target.delete_target=profile"], "target.delete_target",
         "delete_target goes with `action: delete`, not with update or add"),
        (["target.action=delete"], "target.delete_target", "a delete needs the kind of record to delete"),
        (["target.action=delete"], "guards.max_deletes", "a delete needs a limit"),
        (["target.action=delete", "target.delete_target=subprofile"], "target.key_fields",
         "a delete of subprofiles needs a key of their collection"),
        (["target.action=delete", "target.delete_target=profile", "target.key_fields=[K, Order.ID]"],
         "target.key_fields", "a delete of profiles takes no key of a collection"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_at_its_key(problems, settings, where, what):
    """Each rule between keys is one problem at the key that is to be mended."""
    found = problems(SMALLEST, *settings)
    assert what in [problem.what for problem in found if problem.where.split(": ")[-1].removeprefix("--set ") == where]
    if "delete" not in what and "target.action=delete" not in settings:
        assert len(found) == 1


@pytest.mark.parametrize(
    "settings",
    [
        ["target.key_fields=[]", "target.action=add"],
        ["target.key_fields=[K]", "target.action=add", "columns.a=Order.Total"],
        ["columns={a: Order.ID, b: interest.news}", "target.key_fields=[K, Order.ID]"],
        ["source.true_values=[J]", "source.false_values=[N]", "columns.a={to: A, trim: true}"],
        ["source.decimal=','", "source.thousands=.", "columns.a={to: A, decimal: '.', thousands: ','}"],
        ["source.dates=['%d-%m-%Y', '%Y%m%dT%H:%M:%S']", "source.timezone=UTC", "source.encoding=utf-16"],
        ["ignore=[a]", "constants.a=x"],
    ],
)
def test_combinations_that_make_sense_are_taken(write, settings):
    """The rules refuse nothing that can work."""
    assert read_job(write(SMALLEST), settings).job == "customers"


def test_rules_are_silent_about_keys_that_are_faulty_themselves(problems):
    """A key that is wrong or missing is named once, not again by each rule that rests on it."""
    text = SMALLEST.replace("update or add", "upsert").replace("key_fields: [CustomerID]", "key_fields: []")
    assert [problem.where for problem in problems(text)] == ["job.yaml:9:3: target.action"]


def test_rules_are_checked_beside_faulty_keys(problems):
    """A wrong value elsewhere does not hide a broken rule."""
    found = problems(SMALLEST + "http: {read_s: no}\ncolumns: {a: X, b: X}\n")
    assert [problem.where for problem in found] == ["job.yaml:16:8: http.read_s", "job.yaml:17:17: columns.b"]


def test_the_input_is_read_by_processes_or_a_cluster(problems):
    """Both at once would leave open which."""
    found = problems(SMALLEST, "engine.processes=2", "engine.dask=tcp://scheduler:8786")
    assert [(one.what, one.do) for one in found] == [
        ("the input is read by processes of this machine or by a cluster", "keep one of the two")
    ]
