"""The report of a run is one file that shows what happened, and stays small whatever the run was."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.model.chunk import ChunkState, Reason
from pipeline.model.counts import SetAside
from pipeline.report.html.page import RunReport, render
from pipeline.state.chunk_records import ChunkRow
from tests.support.command import call_plain
from tests.support.shop import Shop

SUMMARY = {
    "run": "shop-1",
    "job": "shop",
    "status": "incomplete",
    "exit_code": 6,
    "open": True,
    "started_at": "2026-11-21T03:15:00+00:00",
    "records": {"read": 10, "malformed": 1, "rejected": 2, "collapsed": 0, "accepted": 7, "confirmed": 4, "failed": 1,
                "unknown": 1, "unsent": 1, "unchanged": 0},
    "go_on": "To go on: /srv/bin/copernica-import resume shop-1",
    "problems": [{"what": "it is <not> known", "where": "chunk 2", "do": "wait & see"}],
    "files": [{"path": "a.csv", "sha256": "ab" * 32, "lines": 11, "elements": 10, "records": 10}],
    "rejects": "/srv/runs/shop-1/rejects.csv",
    "seconds": 12.5,
    "forced": ["max_rejects"],
}  # fmt: skip


def chunk(ordinal: int, state: ChunkState, minute: int = 0) -> ChunkRow:
    at = f"2026-11-21T03:{minute // 60 % 60:02}:{minute % 60:02}.000+00:00"
    return ChunkRow(
        ordinal, ordinal, 0, Reason.CUT, 0, 0, 100, "d", (0, 2), (0, 102), "imports", state, 2, 7000 + ordinal,
        "it did not end confirmed", "Disk <full> of J. de Vries", 100, sending_at=at, submitted_at=at, ended_at=at,
    )  # fmt: skip


def report(chunks: int = 3, rejects: int = 2, runs: int = 2) -> RunReport:
    states = [ChunkState.CONFIRMED, ChunkState.FAILED, ChunkState.UNKNOWN]
    return RunReport(
        SUMMARY,
        [
            SetAside("not_a_date", f"born{at}", 1_000_000, (("a.csv", 17), ("a.csv", 18)), ("99-99-99",))
            for at in range(rejects)
        ],
        [chunk(at + 1, states[at % 3], at) for at in range(chunks)],
        [SUMMARY | {"run": f"shop-{at}"} for at in range(runs)],
        {"job": "shop", "note": "</pre><script>alert(1)</script>"},
        Path("/srv/state"),
    )


class Page(HTMLParser):
    """Collect what a page loads or runs, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts, self.text = 0, ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action") and value]
        self.scripts += sum(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += f" {data.strip()}"


def test_the_page_loads_nothing_and_runs_nothing():
    """One file, no request to anywhere, no script, and what it shows is escaped."""
    html = render(report())
    page = Page(html)
    assert ([one for one in page.loaded if one != "data:,"], page.scripts) == ([], 0)
    assert "@import" not in html
    assert "url(" not in html
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) <= {"http://www.w3.org/2000/svg"}


def test_verdict_and_next_step_come_first():
    """Who opens it at seven reads them before anything else."""
    text = Page(render(report())).text
    body = text[text.index("Not complete", text.index("}")) :]
    assert re.match(r"Not complete +shop +To go on: /srv/bin/copernica-import resume shop-1 +Run +shop-1", body)


@pytest.mark.parametrize(
    "shown",
    [
        "it is <not> known", "Do: wait & see", "malformed 1", "rejected 2", "confirmed 4", "unsent 1", "No date", "born0",
        "1,000,000", "a.csv: 17, 18", "99-99-99", "1 failed, 100 rows", "7002", "12.5", "ab" * 32,
        "max_rejects", "</pre><script>alert(1)</script>", "Among the last 2 runs of shop",
    ],
)  # fmt: skip
def test_everything_that_a_person_needs_is_shown(shown: str):
    """Counts, rejects with lines and shapes, chunks, calls, files with digests, the job."""
    assert shown in Page(render(report())).text


def test_the_words_of_copernica_stay_in_the_ledger():
    """An answer may quote a customer; the page can be mailed."""
    html = render(report())
    assert "it did not end confirmed" in html
    assert "Disk" not in html


def test_ten_thousand_chunks_and_a_million_rejects_stay_under_a_megabyte():
    """Chunks share lines, rejects are counted by code and column; and it is there in a moment."""
    before = time.process_time()
    html = render(report(chunks=10_000, rejects=500, runs=30))
    assert time.process_time() - before < 1.5
    assert len(html) < 1_000_000
    assert "250" in html


def test_without_the_library_for_plots_the_page_is_plain():
    """`pip install copernica-import` without the extra `report`: tables in place of plots."""
    code = (
        "import sys; sys.modules['pygal'] = None\n"
        "from tests.report.test_page import render, report\n"
        "html = render(report()); print('<svg' in html, '<details open>' in html)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
    assert "<svg" in render(report())


def test_plots_leave_the_process_as_it_was():
    """Code that calls us finds its packages afterwards, and no import warns."""
    code = (
        "import importlib.metadata as metadata\n"
        "from tests.report.test_page import render, report\n"
        "assert '<svg' in render(report())\n"
        "import wave; print(metadata.version('polars') != '')"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_each_run_leaves_its_report(shop: Shop):
    """Its path is in the summary, the file is private, and holds no value of a customer."""
    shop.dump("1,Ede", "2,Epe", ",Secretstad", f"9,{'Longcity' * 20}")
    ran = shop.run("guards.max_rejects=9")
    path = Path(ran.document["report"])
    assert path == shop.state / "runs" / ran.document["run"] / "report.html"
    assert path.stat().st_mode & 0o777 == 0o600
    html = path.read_text()
    assert "Xxxxxxxx" in html
    assert not any(value in html for value in ("Secretstad", "Longcity", "Epe"))


def test_a_refused_run_leaves_one_too(shop: Shop):
    """The reason stands on top of it."""
    shop.dump("1,Ede", ",Epe")
    ran = shop.run("guards.max_rejects=0")
    text = Page(Path(ran.document["report"]).read_text()).text
    assert "Refused" in text
    assert "1 of 2 records (50.0%) were set aside" in text


def test_an_attempt_without_a_dump_is_in_the_history_and_leaves_one(shop: Shop):
    """Refused before anything was read: a run, a folder and a report all the same."""
    ran = shop.run()
    assert ran.exit_code == 4
    assert "no file of that name" in Page(Path(ran.document["report"]).read_text()).text
    (one,) = shop.ask("runs").document["runs"]
    assert (one["run"], one["status"], one["exit_code"]) == (ran.document["run"], "refused", 4)


def test_the_command_names_the_page_and_writes_it_where_it_is_missing(shop: Shop):
    """Of the newest run by default; an index links to all of them."""
    shop.dump("1,Ede")
    first, second = shop.done().document, shop.done().document
    assert call_plain("report", "--state-dir", shop.state).stdout == f"{second['report']}\n"
    Path(first["report"]).unlink()
    assert shop.ask("report", first["run"]).document["report"] == first["report"]
    assert "All rows are confirmed." in Path(first["report"]).read_text()
    index = Path(shop.ask("report", "--index").document["report"])
    links = [one for one in Page(index.read_text()).loaded if one != "data:,"]
    assert links == [f"runs/{one['run']}/report.html" for one in (second, first)]
    assert all((index.parent / link).is_file() for link in links)


def test_an_unknown_run_is_one_clear_message(shop: Shop):
    """Exit 3, with the command that lists them."""
    shop.dump("1,Ede")
    shop.done()
    found = shop.ask("report", "nobody")
    assert found.exit_code == 3
    (error,) = found.document["errors"]
    assert error["what"] == "there is no run nobody"
    assert error["do"].endswith(f" runs --state-dir {shop.state}")


def test_a_report_that_cannot_be_written_fails_no_run(shop: Shop, monkeypatch):
    """It is said in the log, and the summary has none."""
    shop.dump("1,Ede")
    monkeypatch.setattr("pipeline.state.folder.RunFolder.report_path", shop.folder / "none" / "report.html")
    ran = shop.run()
    assert (ran.exit_code, ran.document["report"]) == (0, None)
    assert "report.not_written" in ran.stderr
