"""The summary has the keys of the contract, sums that add up, and words for a person."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipeline.errors import AccountingError, Problem
from pipeline.model.counts import SetAside
from pipeline.report.summary import FileCount, Records, Summary, Verify, counted

DONE = Summary(
    run="customers-1",
    job="customers",
    status="done",
    exit_code=0,
    records=Records(
        read=42_481,
        malformed=12,
        rejected=120,
        rejected_by_target=3,
        collapsed=4,
        accepted=42_345,
        superseded=30,
        profile_conflicts=2,
        confirmed=42_345,
    ),
    files=(FileCount("a.csv", "ab12", 42_482, 42_481, 42_481),),
    chunks={"total": 5, "confirmed": 5},
    imports=5,
    api_calls=30,
    bytes_sent=1_234_567,
    verify=Verify(10, 10, 0),
    rebuild="done",
    way="imports",
    way_reason="set in the job",
    forced=("unique_keys", "max_rejects"),
    seconds=12.3456,
    rejects=Path("/state/runs/r/rejects.csv"),
    set_aside=(
        SetAside("not_an_integer", "points", 117, (("a.csv", 17), ("a.csv", 18)), ("9x",)),
        SetAside("field_count", "", 12, (("a.csv", 5),)),
        SetAside("too_long", "name", 3),
    ),
    go_on="mend runs/r/rejects.csv and run it",
)


def test_the_document_has_exactly_the_keys_of_the_contract():
    """Names and order are those of the design."""
    assert DONE.to_dict() == {
        "run": "customers-1",
        "job": "customers",
        "status": "done",
        "exit_code": 0,
        "records": {
            "read": 42_481,
            "malformed": 12,
            "rejected": 120,
            "rejected_by_target": 3,
            "collapsed": 4,
            "accepted": 42_345,
            "superseded": 30,
            "profile_conflicts": 2,
            "unchanged": 0,
            "confirmed": 42_345,
            "unmatched": None,
            "failed": 0,
            "unknown": 0,
            "unsent": 0,
        },
        "open": False,
        "set_aside": [
            {"code": "not_an_integer", "column": "points", "count": 117, "example": {"file": "a.csv", "line": 17}},
            {"code": "field_count", "column": "", "count": 12, "example": {"file": "a.csv", "line": 5}},
            {"code": "too_long", "column": "name", "count": 3, "example": {"file": None, "line": None}},
        ],
        "gone": None,
        "drifted": None,
        "problems": [],
        "go_on": "mend runs/r/rejects.csv and run it",
        "files": [{"path": "a.csv", "sha256": "ab12", "lines": 42_482, "elements": 42_481, "records": 42_481}],
        "chunks": {"total": 5, "confirmed": 5},
        "imports": 5,
        "writes": 0,
        "api_calls": 30,
        "bytes_sent": 1_234_567,
        "verify": {"checked": 10, "equal": 10, "different": 0},
        "rebuild": "done",
        "way": "imports",
        "way_reason": "set in the job",
        "forced": ["max_rejects", "unique_keys"],
        "seconds": 12.346,
        "rejects": "/state/runs/r/rejects.csv",
        "report": None,
    }


def test_a_refused_run_is_a_refusal_too():
    """Its document has the summary and the errors of a refusal."""
    problem = Problem("too many", "guards.max_rejects", "mend them")
    refused = dataclasses.replace(DONE, status="refused", exit_code=4, problems=(problem,))
    document = refused.to_dict()
    errors = [{"where": "guards.max_rejects", "what": "too many", "do": "mend them"}]
    assert document.pop("errors") == errors
    assert document == DONE.to_dict() | {"status": "refused", "exit_code": 4, "problems": errors}


def test_sums_that_add_up_pass():
    """Both sums of data rule 2 hold."""
    records = Records(
        read=11,
        malformed=1,
        rejected=2,
        collapsed=3,
        accepted=5,
        unchanged=1,
        confirmed=1,
        failed=1,
        unknown=1,
        unsent=1,
    )
    dataclasses.replace(DONE, records=records).check_sums()
    DONE.check_sums()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"read": 42_480}, "42480 records read, 42481 accounted for"),
        ({"malformed": 13}, "42481 records read, 42482 accounted for"),
        ({"collapsed": 3}, "42481 records read, 42480 accounted for"),
        ({"confirmed": 42_344}, "42345 records accepted, 42344 accounted for"),
        ({"unknown": 1}, "42345 records accepted, 42346 accounted for"),
        ({"rejected_by_target": 121}, "120 records rejected, 121 of them by the target"),
    ],
)
def test_a_sum_that_is_off_is_a_bug(change, message):
    """Each count takes part in the sums."""
    summary = dataclasses.replace(DONE, records=dataclasses.replace(DONE.records, **change))
    with pytest.raises(AccountingError) as error:
        summary.check_sums()
    assert [problem.what for problem in error.value.problems] == [message]
    assert error.value.exit_code == 1


def test_the_words_for_a_person_show_counts_codes_places_and_what_comes_next():
    """Counts are aligned, reject codes have their titles, the last line says how to go on."""
    assert DONE.text() == (
        "customers, run customers-1: done in 12.3 s (exit 0)\n"
        "guards overridden: max_rejects, unique_keys\n"
        "\n"
        "read                 42,481\n"
        "  malformed              12\n"
        "  rejected              120  3 by the target's own limits\n"
        "  collapsed               4  equal rows of one key\n"
        "  accepted           42,345  30 superseded, 2 profiles in conflict\n"
        "    confirmed        42,345\n"
        "imports                   5  1,234,567 bytes\n"
        "API calls                30\n"
        "read back                10\n"
        "rebuild                done\n"
        "method              imports  set in the job\n"
        "\n"
        "set aside\n"
        "  not_an_integer        117  points          No integer, a.csv line 17\n"
        "  field_count            12                  Wrong number of fields, a.csv line 5\n"
        "  too_long                3  name            Too long\n"
        "\n"
        "rejects: /state/runs/r/rejects.csv\n"
        "\n"
        "mend runs/r/rejects.csv and run it\n"
    )


def test_one_is_no_plural():
    """One profile is in conflict, one row stands in a chunk."""
    one = dataclasses.replace(DONE, records=dataclasses.replace(DONE.records, superseded=0, profile_conflicts=1))
    assert "  accepted           42,345  1 profile in conflict\n" in one.text()
    assert (counted(1, "chunk"), counted(2_000, "chunk")) == ("1 chunk", "2,000 chunks")


def test_the_words_of_a_validation_speak_of_no_sending():
    """Without network there is nothing confirmed and nothing unsent to tell."""
    records = Records(read=3, accepted=3, unsent=3)
    summary = Summary(run=None, job="j", status="validated", exit_code=0, records=records, seconds=0.04)
    assert summary.text() == (
        "j: validated in 0.0 s (exit 0)\n"
        "\n"
        "read                      3\n"
        "  malformed               0\n"
        "  rejected                0\n"
        "  accepted                3\n"
    )


def test_the_words_of_a_run_that_stopped_name_what_is_open():
    """Failed, unknown and unsent rows are told where there are any."""
    records = Records(read=9, accepted=9, confirmed=3, failed=1, unknown=2, unsent=3)
    summary = Summary("r", "j", "incomplete", 6, records, imports=2, verify=Verify(4, 3, 1), go_on="run it again")
    assert summary.text().splitlines()[5:] == [
        "  accepted                9",
        "    confirmed             3",
        "    failed                1",
        "    unknown               2",
        "    unsent                3",
        "imports                   2",
        "read back                 4  1 different",
        "",
        "run it again",
    ]


def test_one_line_says_job_verdict_exit_code_and_counts():
    """The first thing that a person sees of a bad night; counts of nothing are left out."""
    assert DONE.line() == (
        "customers: done (exit 0): 42,481 read, 12 malformed, 120 rejected, 4 collapsed, 42,345 accepted,"
        " 42,345 confirmed; run customers-1"
    )
    stopped = Summary("r", "j", "incomplete", 6, Records(read=2, accepted=2, confirmed=1, unknown=1), open=True)
    assert stopped.line() == "j: incomplete, still open (exit 6): 2 read, 2 accepted, 1 confirmed, 1 unknown; run r"
    assert Summary(None, "j", "validated", 0, Records()).line() == "j: validated (exit 0): 0 read"
