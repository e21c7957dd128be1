"""Everything wrong with a job file is named in one go, with its place and what to write."""

from __future__ import annotations

import types
import typing

import pytest
from pydantic import BaseModel

from pipeline.config.problems import REQUIRED, SECTIONS, keys_of
from pipeline.errors import Problem
from pipeline.model.job import OF_READER, Load
from tests.support.job import SMALLEST


def test_faults_of_every_kind_come_together_in_the_order_of_the_file(problems):
    """Form, unknown keys, values, missing keys, rules and `--set` are one list."""
    text = """\
job: my job
removeMissing: true
delimiter: ","
source:
  files: [a.csv]
  delimiter: "/"
  null_values: [null, true]
columns:
  a: X
  b: X
  a: Y
schema: customers.py:Customers
target:
  api: v5
  database: Customers
  key_fields: [K]
  ignoreEmptyFields: true
  ignore_empty_fields: yes
  followups: false
  rebuild: true
"""
    assert problems(text, "guards.max_rejects=150%") == [
        Problem(
            "'my job' does not fit here",
            "job.yaml:1:1: job",
            "write a name of at most 64 letters, digits, dots, hyphens and underscores",
        ),
        Problem("load.mode is missing and has no default", "job.yaml:1:1: load.mode", REQUIRED["load", "mode"][1]),
        Problem(
            "removeMissing is not taken: it removes everything that is not in one import, and a job is sent in several",
            "job.yaml:2:1: removeMissing",
            "remove it",
        ),
        Problem("delimiter is no key of a job file", "job.yaml:3:1: delimiter", "delimiter stands under `source:`"),
        Problem("'/' does not fit here", "job.yaml:6:3: source.delimiter", "write ,, ;, tab, | or :"),
        Problem("'null' does not fit here", "job.yaml:7:17: source.null_values[1]", 'put it in quotes: "null"'),
        Problem("'true' does not fit here", "job.yaml:7:23: source.null_values[2]", 'put it in quotes: "true"'),
        Problem("the key stands twice, here and on line 9", "job.yaml:11:3: columns.a", "keep one of them"),
        Problem(
            "target.action is missing and has no default",
            "job.yaml:13:1: target.action",
            REQUIRED["target", "action"][1],
        ),
        Problem("'v5' does not fit here", "job.yaml:14:3: target.api", "write v1, v2, v3 or v4"),
        Problem(
            "ignoreEmptyFields is no key of `target`",
            "job.yaml:17:3: target.ignoreEmptyFields",
            "did you mean ignore_empty_fields?",
        ),
        Problem("'yes' does not fit here", "job.yaml:18:3: target.ignore_empty_fields", "write true or false"),
        Problem(
            "'150%' does not fit here",
            "--set guards.max_rejects",
            "write a count such as 25 or a share such as 1%",
        ),
    ]


def test_all_missing_keys_are_named_at_once(problems):
    """A job of one line is told everything that has no default."""
    found = problems("source: {format: csv}\n")
    missing = "job,source.files,source.delimiter,schema,target.api,target.database,target.action,target.key_fields,"
    missing += "target.ignore_empty_fields,target.followups,target.rebuild,load.mode"
    assert {problem.what for problem in found} == {
        f"{key} is missing and has no default" + (" for CSV" if key == "source.delimiter" else "")
        for key in missing.split(",")
    }
    assert len(found) == 12


@pytest.mark.parametrize("file", ["a.csv", "x/b.CSV.gz", "c-*.tsv", "d.txt.zst"])
def test_a_csv_by_its_name_must_say_its_delimiter(problems, file):
    """The delimiter is never guessed, and what is CSV shows by the extension before .gz and .zst."""
    found = problems(SMALLEST.replace("a.csv", file).replace('  delimiter: ","\n', ""))
    assert [(problem.where, problem.what) for problem in found] == [
        ("job.yaml:2:1: source.delimiter", "source.delimiter is missing and has no default for CSV")
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("removeMissing: false", "removes everything"),
        ("remove_missing: false", "removes everything"),
        ("location: https://x", "fetch a file later"),
        ("autostart: true", "parked for ever"),
        ("autoStart: true", "parked for ever"),
        ("async: true", "work on unseen"),
        ("name: x", "label of an import"),
        ("token: very-secret", "a secret never stands in a job file"),
        ("accessToken: very-secret", "a secret never stands in a job file"),
        ("access_token: very-secret", "a secret never stands in a job file"),
        ("password: very-secret", "a secret never stands in a job file"),
    ],
)
@pytest.mark.parametrize("section", ["", "source", "target", "load", "http", "guards", "state"])
def test_api_parameters_and_secrets_are_refused_by_name_wherever_they_stand(problems, line, reason, section):
    """Data rule 37: the reason is said; a secret's value is not."""
    text = f"{SMALLEST}http:\n  connect_s: 1\nguards:\n  min_records: 1\nstate:\n  keep_staged: 0d\n"
    text = text.replace(f"{section}:\n", f"{section}:\n  {line}\n") if section else text + line + "\n"
    (problem,) = problems(text)
    assert reason in problem.what
    key = line.partition(":")[0]
    assert problem.where.endswith(f": {section}.{key}" if section else f": {key}")
    assert "very-secret" not in str(problem)


@pytest.mark.parametrize(
    ("written", "do"),
    [
        ("chunk_row: 1", "did you mean chunk_rows?"),
        ("chunkRows: 1", "did you mean chunk_rows?"),
        ("skip_lines: 1", "skip_lines stands under `source:`"),
        ("ignore: []", "ignore stands at the top"),
        ("zzz: 1", f"remove it; known here are {', '.join(Load.model_fields)}"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_answered_with_what_was_meant(problems, written, do):
    """A slip of the pen, camel case and the wrong section are seen."""
    (problem,) = problems(SMALLEST + f"  {written}\n")
    key = written.partition(":")[0]
    assert problem == Problem(f"{key} is no key of `load`", f"job.yaml:16:3: load.{key}", do)


def test_the_models_own_path_is_no_key(problems):
    """`path` is a field of the model that a job file cannot set."""
    (problem,) = problems(SMALLEST + "path: /etc/passwd\n")
    assert (problem.what, problem.where) == ("path is no key of a job file", "job.yaml:16:1: path")


@pytest.mark.parametrize(
    ("old", "new", "what", "do"),
    [
        ("[a.csv]", "a.csv", "'a.csv' does not fit here", "write a list such as [A, B]"),
        ("[a.csv]", "[]", "an empty list does not fit here", "write a list of at least one"),
        ("[a.csv]", '[""]', "an empty value does not fit here", "write a text that is not empty"),
        ("[a.csv]", "[[a]]", "a list does not fit here", "write a text"),
        ("[a.csv]", "{a: b}", "a group of keys does not fit here", "write a list such as [A, B]"),
        ("[CustomerID]", "[true]", "'true' does not fit here", 'put it in quotes: "true"'),
        ("followups: false", "followups: False", "'False' does not fit here", "write true or false"),
        ("followups: false", "followups: 0", "'0' does not fit here", "write true or false"),
        ("followups: false", "followups:", "an empty value does not fit here", "write true or false"),
        ("followups: false", "followups: false\n  account: true", "'true' does not fit here",
         'put it in quotes: "true"'),
        ("customers.py:Customers", "customers.py", "'customers.py' does not fit here",
         "write a Python file and a name in it, such as ../schemas/customers.py:Customers"),
        ("mode: imports", "mode: imports\n  chunk_rows: 0", "'0' does not fit here", "write a number from 1 on"),
        ("mode: imports", "mode: imports\n  chunk_rows: 1.5", "'1.5' does not fit here", "write a whole number"),
        ("mode: imports", 'mode: imports\n  chunk_rows: "5"', "'5' does not fit here", "write a whole number"),
        ("mode: imports", "mode: imports\n  workers: 33", "'33' does not fit here", "write a number up to 32"),
        ("mode: imports", "mode: imports\n  max_calls_per_s: 0", "'0' does not fit here", "write a number above 0"),
        ("mode: imports", "mode: imports\n  settle_after_s: 1e999", "'1e999' does not fit here",
         "write a finite number"),
        ("mode: imports", "mode: imports\n  chunk_bytes: 4 MB iB", "'4 MB iB' does not fit here",
         "write a number of bytes, or a size such as 4 MiB"),
        ("mode: imports", "mode: imports\n  poll: {first_s: soon}", "'soon' does not fit here",
         "write auto or a number"),
        ("mode: imports", "mode: imports\n  poll: 5", "'5' does not fit here", "write a group of keys"),
        ("mode: imports", "mode: imports\nstate: {keep_staged: a week}", "'a week' does not fit here",
         "write a number of days such as 0d or 7d"),
        ("mode: imports", "mode: imports\nguards: {max_rejects: 0.5}", "'0.5' does not fit here",
         "write a count such as 25 or a share such as 1%"),
        ("mode: imports", "mode: imports\ncolumns: {a: {to: A, thousands: 5x}}", "'5x' does not fit here",
         "write one character that is no letter, digit or sign"),
        ("mode: imports", "mode: imports\n  max_calls_per_s: ~", "'~' does not fit here", "write a number"),
        ("mode: imports", "mode: imports\nconstants: {A: true}", "'true' does not fit here", 'put it in quotes: "true"'),
        ("mode: imports", "mode: imports\ncolumns: {a: [A]}", "a list does not fit here",
         "write the name of a Copernica column, or a group of keys with `to:`"),
        ('delimiter: ","', "delimiter: |", "'|' does not fit here", 'put it in quotes: "|"'),
        ("mode: imports", "mode: !x imports", "the tag '!x' is not supported", "remove it"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_answered_with_what_to_write(problems, old, new, what, do):
    """No message is pydantic's own."""
    found = problems(SMALLEST.replace(old, new))
    assert (found[0].what, found[0].do) == (what, do)


def test_a_column_without_target_is_named(problems):
    """A group under `columns` must say where the column goes."""
    (problem,) = problems(SMALLEST + "columns: {a.b: {trim: true}}\n")
    assert problem == Problem(
        'columns."a.b".to is missing and has no default',
        'job.yaml:16:11: columns."a.b".to',
        "write `to:` with the name of a Copernica column",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &a {<<: *a}", 1),
        ("a: &a [*a, *a]", 1),
        ("a: &a {b: *a}", 1),
        ("a: &a [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]", 1),
    ],
)  # fmt: skip
def test_anchors_that_never_end_are_refused(problems, text, line):
    """A loop of anchors, or anchors of anchors, are not followed."""
    (problem,) = problems(text + "\n")
    assert problem.what == "anchors multiply or hold themselves, or values are nested too deeply"
    assert problem.where.startswith(f"job.yaml:{line}:")


@pytest.mark.parametrize(("path", "model"), SECTIONS.items())
def test_what_must_be_said_is_what_has_no_default(path, model):
    """Each key of the models without a default has its advice, and no other has."""
    fields = {field.alias or name: field for name, field in model.model_fields.items() if name not in OF_READER}
    required = {name for name, field in fields.items() if field.is_required() and (*path, name) not in SECTIONS}
    assert {key[-1] for key in REQUIRED if key[:-1] == path} == required


def test_every_value_of_the_models_is_refused_in_our_own_words(problems):
    """A mapping in place of each key's value never ends in the words for what nobody foresaw."""
    for path, model in SECTIONS.items():
        for key in keys_of(model):
            if (*path, key) in SECTIONS or key in ("columns", "constants"):
                continue
            for value in ("{z: {z: 1}}", "true", "-1", "'%'"):
                text = ".".join((*path, key))
                try:
                    found = problems(SMALLEST, f"{text}={value}")
                except pytest.fail.Exception:
                    continue
                assert not [problem for problem in found if "something else" in problem.do], (text, value)


def test_the_test_above_goes_through_all_models():
    """SECTIONS names each model that a model of the job file holds."""
    inner = {
        kind
        for model in SECTIONS.values()
        for field in model.model_fields.values()
        for kind in _kinds(field.annotation)
    }
    assert {kind.__name__ for kind in inner} - {model.__name__ for model in SECTIONS.values()} == {
        "ColumnTarget",
        "Limit",
    }


def _kinds(annotation: object) -> set[type[BaseModel]]:
    if typing.get_origin(annotation) or isinstance(annotation, types.UnionType):
        return {kind for part in typing.get_args(annotation) for kind in _kinds(part)}
    return {annotation} if isinstance(annotation, type) and issubclass(annotation, BaseModel) else set()
