"""docs/sandbox.md is true: hazards, switches, options, and the commands in it work."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.cli.sandbox import command
from pipeline.sandbox import Sandbox
from pipeline.sandbox.faults import Rule
from pipeline.sandbox.hazards import HAZARDS
from pipeline.sandbox.switches import CHOICES, LOOKUPS_DROP

pytestmark = pytest.mark.usefixtures("sockets")

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """List the cells of the table under a heading, without its head."""
    section = DOCS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    heads = [number - 1 for number, cells in enumerate(lines) if set(cells[0]) <= set("|-")]
    return [cells for number, cells in enumerate(lines) if number not in heads and number - 1 not in heads]


def test_every_hazard_is_listed_with_its_words() -> None:
    """Code and meaning, in the order of the code."""
    assert {code.strip("`"): meaning for code, meaning in rows("Hazards")} == HAZARDS


def test_every_switch_is_listed_with_its_values() -> None:
    """All values, the default first."""
    listed = {name.strip("`"): re.findall("`([^`]+)`", values) for name, values, _ in rows("Switches")}
    assert listed.pop(LOOKUPS_DROP) == ["[]"]
    assert listed == {name: [str(one).lower() for one in values] for name, values in CHOICES.items()}


def test_every_kind_and_key_of_a_fault_is_listed() -> None:
    """The kinds in the table, the keys anywhere in the section."""
    listed = [kind for cells in rows("Faults") for kind in re.findall("`([^`]+)`", cells[0])]
    section = DOCS.split("\n## Faults\n")[1].split("\n## ")[0]
    assert sorted(listed) == sorted(Rule.model_fields["kind"].annotation.__args__)
    assert [name for name in Rule.model_fields if name not in section] == []


def test_every_option_is_listed() -> None:
    """As the command knows them."""
    listed = {re.findall("`(--[a-z]+)", cells[0])[0] for cells in rows("Start")}
    assert listed == {
        option for parameter in command.params if not getattr(parameter, "hidden", False) for option in parameter.opts
    }


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("sh") is None, reason="needs curl and a shell")
def test_the_commands_for_any_language_work() -> None:
    """The shell block runs unchanged and leaves no hazard."""
    script = DOCS.split("```sh\n")[1].split("```")[0]
    with Sandbox(structure=ROOT / "configs" / "sandbox.yaml") as sandbox:
        script = script.replace("http://127.0.0.1:8765", sandbox.api_url)
        done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert sandbox.settle()
        assert [entry["status"] for entry in sandbox.journal()] == [200, 200, 201, 200, 200, 201, 200]
        profile = sandbox.contents("Customers")["profiles"][0]
    assert profile["subprofiles"]["Order"][0]["fields"]["Total"] == "3.5"
    assert done.stdout.endswith("[]")
