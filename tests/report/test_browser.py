"""A real browser shows the report: laid out at any width, in light and dark, without an error or a request."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.report.html.page import render
from tests.report.test_page import report
from tests.support.shop import Shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
)  # fmt: skip
# What the page measures in the browser and writes where --dump-dom shows it.
PROBE = """<script>
window.requests = 0;
window.addEventListener("load", () => {
  const root = document.documentElement, seen = (name) => getComputedStyle(document.querySelector(name));
  const box = (name) => (document.querySelector(name) || root).getBoundingClientRect();
  const badge = box(".badge"), next = box(".next");
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify({
    wide: root.scrollWidth <= root.clientWidth, width: root.clientWidth, top: badge.top < next.top && next.bottom < 300,
    page: seen("body").backgroundColor, text: seen("body").color,
    plots: document.querySelectorAll(".plot svg rect").length,
    requests: performance.getEntriesByType("resource").length,
  });
  document.body.append(out);
});
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")


def shown(folder: Path, html: str, width: int) -> tuple[dict[str, object], list[str]]:
    """Load a page in the browser at a width; returns what the probe measured and the lines of the console."""
    (folder / "page.html").write_text(html.replace("</body>", f"{PROBE}</body>"))
    # A window is never narrower than 500: a phone is a frame in it.
    frame = (
        f'<body style="margin:0"><iframe id="f" src="page.html" style="width:{width}px;height:800px;border:0"></iframe>'
    )
    copy = (
        "<script>addEventListener('load', () => {"
        "document.body.append(document.getElementById('f').contentDocument.getElementById('probe'))})</script>"
    )
    (folder / "frame.html").write_text(frame + copy)
    words = [
        str(CHROMIUM), *FLAGS, "--allow-file-access-from-files", f"--user-data-dir={folder}/profile",
        f"--window-size={max(width, 500)},900", "--virtual-time-budget=5000", "--dump-dom", f"file://{folder}/frame.html",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout)
    assert found is not None, done.stdout[-2000:]
    return json.loads(found[1]), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [390, 1200])
def test_the_index_fits_any_width_and_leads_to_the_reports(tmp_path: Path, shop: Shop, width: int):
    """A table of all runs scrolls within the page; the first line of each is a link."""
    shop.dump("1,Ede")
    run = shop.done().document["run"]
    html = Path(shop.ask("report", "--index").document["report"]).read_text()
    assert f'<a href="runs/{run}/report.html">' in html
    found, console = shown(tmp_path, html, width)
    assert (console, found["wide"], found["requests"]) == ([], True, 0)


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_a_person_sees_verdict_and_next_step_at_any_width(tmp_path: Path, width: int, scheme: str, dark: bool):
    """Nothing runs out of the page, the first line is on top, the console is empty, nothing is asked of anybody."""
    html = render(report())
    if dark:
        html = html.replace("@media (prefers-color-scheme: dark)", "@media all", 1)
    found, console = shown(tmp_path, html, width)
    assert console == []
    assert (found["wide"], found["top"], found["requests"]) == (True, True, 0), found
    assert found["plots"]
    page, text = (sum(map(int, re.findall(r"\d+", str(found[name]))[:3])) for name in ("page", "text"))
    assert (page < text) is dark
