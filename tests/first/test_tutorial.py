"""docs/first-load.md can be followed: its commands run in order against an empty sandbox, and end as it says."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.command import call, call_plain
from tests.support.journey import Journey
from tests.support.places import DOCS

TEXT = (DOCS / "first-load.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return "".join(re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL))


def test_the_page_can_be_followed(journey: Callable[..., Journey], monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes are five commands; the plan at the end is empty."""
    here = journey(None)
    here.write("klanten.csv", block("csv").encode("cp1252"))
    monkeypatch.chdir(here.folder)
    environment = here.environment()
    *commands, last = [line.split()[1:] for line in block("sh").splitlines()]
    for words in commands:
        ran = call_plain(*words, environment=environment)
        assert ran.exit_code == 0, (words, ran.stdout, ran.stderr)
    job = (here.folder / "customers.yaml").read_text()
    for words in re.findall(r"`([a-z_]+: [^`]+)`", TEXT[TEXT.index("the job file:") : TEXT.index("the schema:")]):
        assert words in job, words
    assert "Klantnr: str = fields.Text(20)" in (here.folder / "customers.py").read_text()
    plan = call("plan", "customers.yaml", environment=environment).document
    assert plan["plan"]["create"] == 4
    apply = plan["go_on"].removeprefix("To apply: ").split()
    assert call(*apply[apply.index("apply") :], environment=environment).exit_code == 0
    assert call_plain(*last, environment=environment).exit_code == 0
    assert here.profiles("customers")[0]["fields"]["Saldo"] == "1204.5"
