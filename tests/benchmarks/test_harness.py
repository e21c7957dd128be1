"""The harness counts what arrives and does not take a broken command for a fast one; no test asserts a time."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.bench import Result, Setting, bench, dump
from benchmarks.case import Call
from benchmarks.data import COLUMNS, damaged
from benchmarks.measure import Measured
from benchmarks.report import figures
from benchmarks.sections import BY_NAME, chosen

pytestmark = pytest.mark.usefixtures("sockets")


def test_limit_delivers_every_row_to_the_sink(tmp_path: Path):
    """1,000 rows sent by the limit arrive as 1,000 rows, in two rounds, and leave nothing behind but the dump."""
    (result,) = bench([BY_NAME["limit"]], Setting(rows=1_000, repetitions=2, data=tmp_path))
    assert (result.error, len(result.runs)) == ("", 2)
    assert result.to_dict()["status"] == "ok"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["adjacent-1000.csv"]


def test_command_that_fails_is_reported_with_the_end_of_its_stderr(tmp_path: Path):
    """A section whose command exits with 3 has no figures, but its code and last words."""

    def broken(call: Call) -> list[str]:
        return [call.python, "-c", "import sys; print('no such job', file=sys.stderr); sys.exit(3)"]

    case = dataclasses.replace(BY_NAME["limit"], command=broken)
    (result,) = bench([case], Setting(rows=1_000, repetitions=2, data=tmp_path))
    assert result.to_dict()["status"] == "failed"
    assert result.error == "exit code 3: no such job"
    assert result.runs == []


def test_command_that_loses_rows_is_no_measurement(tmp_path: Path):
    """A section that sends nothing, and says that all went well, failed."""
    case = dataclasses.replace(BY_NAME["limit"], command=lambda call: [call.python, "-c", ""])
    (result,) = bench([case], Setting(rows=1_000, repetitions=1, data=tmp_path))
    assert result.error == "0 rows arrived, not 1000"


def test_dumps_hold_the_same_rows_each_time(tmp_path: Path):
    """A dump has its rows and columns, the scattered one the same lines in another order, made twice the same."""
    adjacent, scattered = (dump(tmp_path, variant, 1_000).read_text() for variant in ("adjacent", "scattered"))
    again = dump(tmp_path / "again", "scattered", 1_000).read_text()
    lines = adjacent.splitlines()
    assert (len(lines), lines[0]) == (1_001, ",".join(COLUMNS))
    assert lines[1:] != scattered.splitlines()[1:]
    assert sorted(lines[1:]) == sorted(scattered.splitlines()[1:])
    assert again == scattered


def test_a_fifth_of_a_damaged_dump_is_damaged(tmp_path: Path):
    """The rows that differ from the sound dump are as many as the harness expects to be rejected."""
    sound = dump(tmp_path, "adjacent", 1_000).read_text().splitlines()
    for variant in ("blank", "unparsed"):
        spoilt = dump(tmp_path, variant, 1_000).read_text().splitlines()
        changed = sum(one != other for one, other in zip(sound, spoilt, strict=True))
        assert changed == damaged(variant, 1_000) == 200


def test_measured_jobs_do_what_they_must(tmp_path: Path):
    """The jobs that are measured import, or refuse, every row of their dumps, tried once on 1,000 rows each."""
    names = ("run", "blank", "validate", "json")
    results = bench([BY_NAME[name] for name in names], Setting(rows=1_000, repetitions=0, data=tmp_path))
    assert {result.case.name: result.error for result in results} == dict.fromkeys(names, "")


def test_a_section_is_chosen_by_its_name_or_by_those_of_its_cases():
    """`--only` takes both; what is measured ten times as large comes along only when all is asked for."""
    assert [case.name for case in chosen("small,limit", everything=False)[0]] == ["limit", "small"]
    assert [case.name for case in chosen("start", everything=False)[0]] == ["small"]
    assert "json-10x" not in {case.name for case in chosen(None, everything=False)[0]}
    assert "json-10x" in {case.name for case in chosen(None, everything=True)[0]}
    with pytest.raises(ValueError, match="no such section: fast"):
        chosen("fast", everything=False)


def test_figures_compare_rows_per_second_and_name_what_is_below_its_bar():
    """A run of 3 s beside a limit of 1 s reaches a third of it, by the clock of the best and the CPU of the leanest."""
    limit, run = (Result(BY_NAME[name], 1_000) for name in ("limit", "run"))
    limit.runs = [Measured(0, 1.0, 1.0, 10**8, 10**8, "", ""), Measured(0, 4.0, 2.0, 10**8, 10**8, "", "")]
    run.runs = [Measured(0, 3.0, 5.0, 10**8, 10**8, "", ""), Measured(0, 4.0, 4.0, 10**8, 10**8, "", "")]
    (figure,) = figures([limit, run])
    assert (figure.name, figure.value, figure.by_median, figure.by_cpu) == ("run / limit", 0.333, 0.714, 0.25)
    assert figure.met is False


def test_memory_is_compared_between_ten_times_the_rows_and_once():
    """A peak of 130 MB after one of 100 MB is under 800 MB, but grew by more than a quarter."""
    small, big = (Result(BY_NAME[name], 1_000) for name in ("run", "run-10x"))
    small.runs = [Measured(0, 1.0, 1.0, 100_000_000, 0, "", "")]
    big.runs = [Measured(0, 1.0, 1.0, 130_000_000, 0, "", "")]
    found = [(figure.name, figure.value, figure.met) for figure in figures([small, big])]
    assert found == [("run-10x, peak", 130, True), ("run-10x / run, peak", 1.3, False)]
