"""The state folder is one folder for cron and for a person."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.options import state_folder


def test_the_state_folder_stands_beside_the_job_file(monkeypatch):
    """Wherever the command is called from, and whatever the environment says."""
    monkeypatch.setenv("COPERNICA_STATE_DIR", "/elsewhere")
    assert state_folder(None, Path("/jobs/customers.yaml")) == Path("/jobs/.copernica-import")


def test_what_is_said_holds():
    """--state-dir wins over both."""
    assert state_folder(Path("here"), Path("/jobs/customers.yaml")) == Path("here")
    assert state_folder(Path("here")) == Path("here")


def test_commands_without_a_job_ask_the_environment(monkeypatch, tmp_path):
    """COPERNICA_STATE_DIR, else the folder in the working folder, else the one in `configs/` below it."""
    monkeypatch.chdir(tmp_path)
    assert state_folder(None) == Path(".copernica-import")
    (tmp_path / "configs" / ".copernica-import").mkdir(parents=True)
    assert state_folder(None) == Path("configs/.copernica-import")
    (tmp_path / ".copernica-import").mkdir()
    assert state_folder(None) == Path(".copernica-import")
    monkeypatch.setenv("COPERNICA_STATE_DIR", "/elsewhere")
    assert state_folder(None) == Path("/elsewhere")
