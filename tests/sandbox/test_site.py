"""The pages for a person: what is on them, over plain HTTP and in a real browser."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client
from tests.support.browser import CHROMIUM, Browser, browser

PAGES = ("", "show/database/1", "show/collection/1", "show/profile/3", "show/imports", "show/journal", "show/switches")
NASTY = '<script>alert("x")</script>'


@pytest.fixture
def shop(sandbox: Sandbox, api: Client) -> Client:
    """Fill the sandbox: 60 customers, 30 orders of one of them, a failed import, hazards, faults."""
    cities = ("Delft", "Köln", "'s-Gravelo")
    rows = [{"CustNo": f"{number}", "City": cities[number % 3], "interest.news": "Yes"} for number in range(60)]
    rows[4]["City"] = NASTY[:10]
    keys = {"keyFields": ["CustNo", "Orders.No"], "ignoreEmptyFields": True, "action": "update or add"}
    api.imported(rows, name="customers", **{**keys, "keyFields": ["CustNo"]})
    api.imported([{"CustNo": "2", "Orders.No": f"A{number}"} for number in range(30)], name="orders", **keys)
    sandbox.set_faults([{"kind": "fail", "message": "Disk full"}])
    api.imported(rows, action="add", name=NASTY)
    api("PUT", "profile/3", {"fields": {"Points": "2,5", NASTY: "x"}})
    return api


def page(sandbox: Sandbox, path: str, status: int = 200) -> str:
    """Fetch a page and return its text."""
    answer = requests.get(f"{sandbox.api_url}/{path}", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "Nothing here reaches a real account" in answer.text
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.S)))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_nothing_of_anybody(sandbox: Sandbox, shop: Client, path: str) -> None:
    """No script, nothing from elsewhere, values escaped; and the policy that the browser gets forbids both."""
    answer = requests.get(f"{sandbox.api_url}/{path}", timeout=10)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert re.findall(r"(?:src|href|action)=\"(?!/|\?|data:,)[^\"]*\"", answer.text) == []
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_pages_are_no_requests_to_the_api(sandbox: Sandbox, shop: Client) -> None:
    """They are in no journal, are no calls, and no fault hits them; the API at the root stays as it is."""
    sandbox.set_faults([{"kind": 503}])
    before = len(sandbox.journal())
    for path in PAGES:
        page(sandbox, path)
    assert len(sandbox.journal()) == before
    assert requests.post(f"{sandbox.api_url}/", timeout=10).status_code == 503


def test_the_first_page_shows_what_is_there(sandbox: Sandbox, shop: Client) -> None:
    """Databases with counts, the newest imports, hazards."""
    text = page(sandbox, "")
    assert "Customers" in text
    assert "Profiles 90" in text
    assert "30 subprofiles" in text
    assert "failed" in text
    assert "Disk full" in text
    assert f"Hazards {len(sandbox.hazards())} requests" in text


def test_profiles_are_paged(sandbox: Sandbox, shop: Client) -> None:
    """25 on a page, none twice."""
    seen = []
    for number in range(1, 5):
        answer = requests.get(f"{sandbox.api_url}/show/database/1?page={number}", timeout=10).text
        seen.append(re.findall(r"/show/profile/(\d+)", answer))
    assert [len(one) for one in seen] == [25, 25, 25, 15]
    assert len({number for one in seen for number in one}) == 90
    assert "No profiles" in page(sandbox, "show/database/1?page=9")


@pytest.mark.parametrize(
    ("query", "found"),
    [("q=k%C3%B6LN", 25), ("q=k%C3%B6ln&field=City", 25), ("q=k%C3%B6ln&field=CustNo", 0), ("q=59&field=ID", 1),
     ("q=%27s-&field=City", 25), ("q=%3Cscript%3E", 2), ("q=%25", 0), ("q=nothing", 0)],
)  # fmt: skip
def test_profiles_are_searched_by_any_field(sandbox: Sandbox, shop: Client, query: str, found: int) -> None:
    """Or by one, in any case; the text is a text, no pattern."""
    answer = requests.get(f"{sandbox.api_url}/show/database/1?{query}", timeout=10).text
    assert len(re.findall(r"/show/profile/\d+", answer)) == found


def test_a_profile_shows_interests_and_pages_of_subprofiles(sandbox: Sandbox, shop: Client) -> None:
    """Each collection has its own pages."""
    text = page(sandbox, "show/profile/3")
    assert "Interests news" in text
    assert ("A0" in text, "A29" in text, "Visits None." in text) == (True, False, True)
    assert "A29" in page(sandbox, "show/profile/3?page1=2")
    shop("DELETE", "profile/3")
    assert "removed 20" in page(sandbox, "show/profile/3")


def test_subprofiles_are_searched_too(sandbox: Sandbox, shop: Client) -> None:
    """And name their profile."""
    text = page(sandbox, "show/collection/1?q=a29&field=No")
    assert ("A29" in text, "A28" in text) == (True, False)


def test_imports_show_their_progress(sandbox: Sandbox, shop: Client) -> None:
    """Rows done, what became of them, the last error; a page with something to come reloads itself."""
    text = page(sandbox, "show/imports")
    assert "30 of 60" in text
    assert "30 created" in text
    assert 'http-equiv="refresh"' not in requests.get(f"{sandbox.api_url}/show/imports", timeout=10).text
    sandbox.set_faults([{"kind": "hang"}])
    shop.made("imports", {"database": 1, "action": "add", "source": [{"CustNo": "1"}]})
    assert 'http-equiv="refresh"' in requests.get(f"{sandbox.api_url}/show/imports", timeout=10).text


def test_the_journal_shows_hazards(sandbox: Sandbox, shop: Client) -> None:
    """With their words and details; they can be asked for alone."""
    text = page(sandbox, "show/journal?only=hazards")
    assert "a number or date in another notation was bent into one" in text
    assert "Points: '2,5'" in text
    assert "GET /v4/import/1" not in text
    assert "GET /v4/import/1" in page(sandbox, "show/journal")


def test_switches_and_faults_are_shown(sandbox: Sandbox, shop: Client) -> None:
    """What is chosen is marked."""
    sandbox.set_switches({"several_matches": "first", "lookups_drop": ["City"]})
    answer = requests.get(f"{sandbox.api_url}/show/switches", timeout=10).text
    assert '<span class="tag chosen">first</span>' in answer
    assert '<span class="tag chosen">city</span>' in answer
    assert "message: Disk full" in answer


@pytest.mark.parametrize(
    "path",
    ["show", "show/nothing", "show/database/9", "show/database/\u00b2", "show/profile/0", "show/profile/x", "show/collection/9",
     "show/database/1/2", "show/profile/99999999999999999999"],
)  # fmt: skip
def test_a_page_that_is_not_there_says_so(sandbox: Sandbox, path: str) -> None:
    """With a way back."""
    if path == "show":
        assert "What is in the sandbox" in page(sandbox, path)
    else:
        assert "There is no such page" in page(sandbox, path, 404)


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=\u00b2", "page=999999999999", "q=%00", "field=x&q=y", "page[]=1"]
)
def test_an_odd_query_is_answered(sandbox: Sandbox, shop: Client, query: str) -> None:
    """As the first page, or an empty one."""
    for path in ("show/database/1", "show/collection/1", "show/profile/3", "show/imports", "show/journal"):
        page(sandbox, f"{path}?{query}")


@pytest.mark.usefixtures("sockets")
def test_what_make_run_keeps_can_be_shown(tmp_path: Path) -> None:
    """A command beside a sandbox that is kept; started again it has the data, the import and the journal with hazards."""
    keep = tmp_path / "kept" / "last.db"
    talk = (
        "import os, requests; url = os.environ['COPERNICA_API_URL']; key = {'access_token': 'sandbox'};"
        "requests.post(url + '/v3/database/1/profiles?LIMIT=1', params=key, json={'fields': {'City': 'Delft'}}, timeout=10);"
        "requests.post(url + '/v3/imports', params=key, timeout=10,"
        " json={'database': 1, 'action': 'add', 'source': [{'City': 'Ede'}]})"
    )
    structure = Path(__file__).parents[2] / "configs" / "sandbox.yaml"
    words = [sys.executable, "-m", "pipeline.sandbox", "--structure", str(structure), "--keep", str(keep), "--"]
    for _ in range(2):
        done = subprocess.run(
            [*words, sys.executable, "-c", talk], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "To see in a browser what arrived: make show\n")
    with Sandbox(store=keep) as sandbox:
        text = page(sandbox, "show/database/1")
        assert ("Delft" in text, "Ede" in text, "2 profiles" in text) == (True, True, True)
        assert "1 of 1" in page(sandbox, "show/imports")
        assert "unknown_parameter" in page(sandbox, "show/journal?only=hazards")
        assert [one["code"] for one in sandbox.hazards()] == ["unknown_parameter"]


# In a browser.

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    """Return a browser, started once."""
    with browser() as one:
        yield one


def lightness(colour: Any) -> int:
    """Add red, green and blue of `rgb(1, 2, 3)`."""
    return sum(int(part) for part in re.findall(r"\d+", str(colour))[:3])


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_a_person_reads_every_page(sandbox: Sandbox, shop: Client, opened: Browser, width: int, dark: bool) -> None:
    """At any width and in both schemes nothing runs out of the window, no error, no request to elsewhere."""
    opened.addresses.clear()
    opened.complaints.clear()
    opened.shape(width, dark, scripts=True)
    for path in PAGES:
        opened.open(f"{sandbox.api_url}/{path}")
        assert "This is a sandbox" in opened.text()
        assert opened.value("document.documentElement.scrollWidth <= window.innerWidth"), path
        back, text = (opened.value(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        assert (lightness(back) < lightness(text)) is dark
        if width < 600:
            # On a phone tables are cards: nothing has to be pushed sideways.
            wide = "[...document.querySelectorAll('.card')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
            assert opened.value(wide) == 0, path
            unnamed = (
                "[...document.querySelectorAll('table.stack tbody td:not(.blank)')].filter(one => "
                "getComputedStyle(one, '::before').content !== JSON.stringify(one.dataset.name)).length"
            )
            assert opened.value(unnamed) == 0, path
    assert opened.complaints == []
    assert {one for one in opened.addresses if not one.startswith((sandbox.api_url, "data:", "about:"))} == set()


@needs_chromium
def test_a_person_finds_a_customer_and_an_order(sandbox: Sandbox, shop: Client, opened: Browser) -> None:
    """From the first page by links, a search and pages, without scripts."""
    opened.shape(1280, dark=False, scripts=False)
    opened.open(sandbox.api_url)
    opened.follow("Customers")
    assert "90 profiles" in opened.text()
    opened.follow("Next →")
    assert "Page 2" in opened.text()
    opened.fill("Search for", "59")
    opened.fill("In field", "CustNo")
    opened.follow("Search")
    assert opened.value("document.querySelectorAll('tbody tr td:first-child a').length") == 1
    opened.fill("Search for", "2")
    opened.follow("Search")
    opened.follow("3")
    assert "Profile 3" in opened.text()
    opened.follow("Next →")
    assert "A29" in opened.text()
    opened.follow("Journal")
    opened.follow("Only those with hazards")
    assert "value_not_canonical" in opened.text()
    opened.follow("Imports")
    assert "Disk full" in opened.text()
