"""The files that a host begins with work: the crontab's line as cron runs it, the others as their own tools read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import DOCS
from tests.support.shop import Shop

EXAMPLES = DOCS / "examples"
HOME = "/srv/copernica-import"
PROGRAM = Path(sys.executable).with_name("copernica-import")


def cron_line(shop: Shop) -> subprocess.CompletedProcess[str]:
    """Run the first line of the crontab as cron does: by sh, from elsewhere, with nothing in the environment but its own."""
    text = (EXAMPLES / "crontab").read_text()
    (line,) = re.findall(r"^15 3 \* \* \*  (.*)$", text, re.MULTILINE)
    line = line.replace(f"{HOME}/.venv/bin/copernica-import", str(PROGRAM)).replace(
        f"{HOME}/configs/my.yaml", str(shop.job)
    )
    assert HOME not in line
    named = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert list(named) == ["MAILTO", "COPERNICA_TOKEN_FILE"]
    named["COPERNICA_TOKEN_FILE"] = str(shop.write("token", shop.sandbox.token))
    shop_only = {name: value for name, value in shop.environment().items() if name != "COPERNICA_TOKEN"}
    environment = {
        "HOME": str(shop.folder),
        "LOGNAME": "root",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/sh",
        **named,
        **shop_only,
    }
    return subprocess.run(
        ["/bin/sh", "-c", line], env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip


def shown(mail: str, shop: Shop) -> str:
    """Return a mail with the places of the page, and without what each night has of its own: runs, numbers of imports."""
    for ours, theirs in ((PROGRAM, f"{HOME}/.venv/bin/copernica-import"), (shop.folder, f"{HOME}/configs")):
        mail = mail.replace(str(ours), theirs)
    return re.sub(r"(?<=shop-)[0-9TZ]+-[0-9a-f]{4}|(?<=import[ /])[0-9]+|(?<=attempt )[0-9]+", "…", mail).strip()


def test_the_mails_on_the_page_are_those_that_come(shop: Shop):
    """Of a night that stays open, of the one after it (none), and of a night without a dump."""
    first, second = re.findall(
        r"^```text\n(shop: .*?)^```$", (DOCS / "operations.md").read_text(), re.DOTALL | re.MULTILINE
    )
    shop.configure({"http.retry_budget_s": 1, "source.dump": "full"})
    shop.dump("1,Ede", "2,Tiel", "3,Goes", "4,Assen", "5,Urk")
    shop.sandbox.set_faults([{"kind": "502", "method": "GET", "path": "*/import/*"}])
    assert shown(cron_line(shop).stderr, shop) == shown(first, shop)
    shop.sandbox.set_faults([])
    assert cron_line(shop).stderr == ""
    (shop.folder / "dump.csv").unlink()
    assert shown(cron_line(shop).stderr, shop) == shown(second, shop)


def test_a_good_night_sends_no_mail_and_a_bad_one_says_what_to_do(shop: Shop):
    """cron mails what is written; a good night, a bad one, and the night after it."""
    shop.dump("1,Ede")
    good = cron_line(shop)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    dump = shop.folder / "dump.csv"
    dump.rename(shop.folder / "late")
    bad = cron_line(shop)
    assert (bad.returncode, bad.stdout) == (4, "")
    first, second, *_ = bad.stderr.splitlines()
    assert first.startswith("shop: refused (exit 4)")
    assert second.startswith("error: ")
    assert not any(line.startswith("{") for line in bad.stderr.splitlines())
    (shop.folder / "late").rename(dump)
    after = cron_line(shop)
    assert (after.returncode, after.stdout, after.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("kind", ["service", "timer"])
def test_systemd_takes_the_units(tmp_path: Path, kind: str):
    """`systemd-analyze verify` finds nothing to say, once the program is where the unit looks for it."""
    for name in ("service", "timer"):
        text = (EXAMPLES / f"copernica-import@.{name}").read_text()
        text = text.replace(f"{HOME}/.venv/bin/copernica-import", str(PROGRAM))
        (tmp_path / f"copernica-import@.{name}").write_text(text)
    words = ["systemd-analyze", "verify", str(tmp_path / f"copernica-import@my.{kind}")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "copernica" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
def test_logrotate_takes_its_file(tmp_path: Path):
    """A dry run reads it without an error."""
    text = (EXAMPLES / "logrotate").read_text().replace("/var/log/copernica-import", str(tmp_path))
    file = tmp_path / "logrotate"
    file.write_text(re.sub(r"create 0600 .*", "create 0600", text))
    file.chmod(0o600)
    words = ["logrotate", "--debug", "--state", str(tmp_path / "state"), str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr


def test_the_page_names_every_example():
    """And the examples name the page's own place."""
    page = (DOCS / "operations.md").read_text()
    assert all(f"examples/{path.name}" in page for path in EXAMPLES.iterdir())
