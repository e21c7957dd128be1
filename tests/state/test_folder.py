"""The folder of a run: private, and nobody else's."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.state.folder import RunFolder

NOW = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)


def test_no_two_runs_of_one_second_share_a_folder(tmp_path: Path) -> None:
    """All names of this second are taken but one: that one is found."""
    runs = tmp_path / "runs"
    runs.mkdir()
    for number in range(0x10000):
        if number != 0xBEEF:
            (runs / f"shop-20260228T235959Z-{number:04x}").mkdir()
    folder = RunFolder.new(tmp_path, "shop", NOW)
    assert folder.run == "shop-20260228T235959Z-beef"
    assert folder.path.is_dir()


def test_folders_are_private(tmp_path: Path) -> None:
    folder = RunFolder.new(tmp_path / "state", "shop", NOW)
    for path in (folder.path, folder.path.parent, folder.path.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("in_the_way", ["state", "state/runs"])
def test_a_state_folder_that_is_a_file(tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("")
    with pytest.raises(JobError, match="the state folder cannot be written"):
        RunFolder.new(tmp_path / "state", "shop", NOW)
