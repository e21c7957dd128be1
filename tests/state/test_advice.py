"""A suggested command works when it is pasted, from any folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline.state.advice import command, program


def test_the_program_is_named_by_its_own_path(monkeypatch, tmp_path):
    """The script that was called, else the one beside the interpreter, else the module."""
    script = tmp_path / "copernica-import"
    script.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./copernica-import"])
    assert program() == (str(script),)
    monkeypatch.setattr(sys, "argv", ["something-else"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert program() == (str(script),)
    script.unlink()
    assert program() == (str(tmp_path / "python3"), "-m", "pipeline")


def test_paths_are_absolute_and_words_are_quoted(monkeypatch, tmp_path):
    """A folder with a blank in its name is one word."""
    monkeypatch.chdir(tmp_path)
    words = command("resume", "run-1", Path("a b.csv"), state_dir=Path("my state"))
    assert words.endswith(f" resume run-1 '{tmp_path}/a b.csv' --state-dir '{tmp_path}/my state'")


def test_the_command_runs_from_another_folder(tmp_path):
    """What is written can be executed by a shell as it stands."""
    line = command("runs", state_dir=tmp_path / "no state")
    done = subprocess.run(line, shell=True, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no run here" in done.stderr) == (3, True)
