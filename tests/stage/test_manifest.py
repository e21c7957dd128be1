"""The manifest: its presence says that all rows are staged, whole, and on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import RunDamagedError
from pipeline.model.columns import Sets
from pipeline.model.counts import Intake, Staged
from pipeline.model.files import FileFacts, SourceFile
from pipeline.stage.manifest import FORMAT, NAME, Manifest
from pipeline.stage.partitions import write_rows
from pipeline.stage.run_rows import PLANNED_LANES
from pipeline.stage.sample import Expectation
from tests.support.shop import Shop


def staged(folder: Path) -> Manifest:
    """Stage two files, and write the manifest."""
    file = SourceFile(Path("/dumps/dump.csv.gz"), "dump.csv.gz", 0, 10, 20)
    facts = FileFacts(file, "abc", 3, 2, 0, 1, 0, 2, 2, good=2, content_sha256="def")
    sample = (Expectation({"Nr": "1"}, (("Order", {"Order.No": "2"}),), (Expectation({"Nr": None}),)),)
    manifest = Manifest(Sets(("Nr",), ("Order",)), Intake(valid=2, facts=(facts,)), Staged(accepted=2), sample, None)
    (folder / "lanes" / "a").mkdir(parents=True)
    for number in range(2):
        write_rows(pl.DataFrame({"Nr": ["1"]}), folder / "lanes" / "a" / f"{number:06d}.arrow")
    manifest.write(folder)
    return manifest


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Files that came since, such as those of a chunk of its own, do not matter."""
    manifest = staged(tmp_path)
    write_rows(pl.DataFrame({"Nr": ["1"]}), tmp_path / "later.arrow")
    assert Manifest.read(tmp_path) == manifest


def test_the_lanes_of_a_plan_that_is_applied_stand_aside(tmp_path: Path) -> None:
    """Killed while it was applied, it is resumed with the rows that were planned, not with all of the dump."""
    manifest = staged(tmp_path)
    (tmp_path / "lanes").rename(tmp_path / PLANNED_LANES)
    assert Manifest.read(tmp_path) == manifest
    (tmp_path / "lanes" / "a").mkdir(parents=True)
    write_rows(pl.DataFrame({"Nr": ["1", "2", "3"]}), tmp_path / "lanes" / "a" / "000000.arrow")
    assert Manifest.read(tmp_path) == manifest
    (tmp_path / PLANNED_LANES / "a" / "000001.arrow").unlink()
    with pytest.raises(RunDamagedError):
        Manifest.read(tmp_path)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: shorten(folder / "lanes" / "a" / "000001.arrow"),
        lambda folder: (folder / "lanes" / "a" / "000001.arrow").write_bytes(b""),
        lambda folder: (folder / "lanes" / "a" / "000000.arrow").unlink(),
        lambda folder: shorten(folder / NAME),
        lambda folder: (folder / NAME).write_bytes(b""),
        lambda folder: (folder / NAME).write_bytes(b"\xff\xfe"),
        lambda folder: (folder / NAME).write_text("[]"),
        lambda folder: (folder / NAME).write_text(
            (folder / NAME).read_text().replace(f'"format": {FORMAT}', '"format": 1')
        ),
        lambda folder: (folder / NAME).write_text((folder / NAME).read_text().replace('"accepted"', '"other"')),
    ],
)
def test_what_is_torn_is_not_sent(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    """Nothing is sent from half a file."""
    staged(tmp_path)
    harm(tmp_path)
    with pytest.raises(RunDamagedError, match="what was staged for the run is not whole"):
        Manifest.read(tmp_path)


def test_staged_rows_are_on_disk_before_the_manifest_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and every folder up to the run's, in that order: a power cut leaves all of them or no manifest."""
    synced: list[tuple[Path, bool]] = []
    fsync = os.fsync

    def noted(number: int) -> None:
        synced.append((Path(f"/proc/self/fd/{number}").resolve(), (folder / NAME).exists()))
        fsync(number)

    folder = tmp_path / "runs" / "shop-1" / "staged"
    monkeypatch.setattr(os, "fsync", noted)
    staged(folder)
    before = {path for path, complete in synced if not complete}
    wanted = {
        *folder.rglob("*.arrow"),
        folder / "lanes" / "a",
        folder / "lanes",
        folder,
        folder.parent,
        folder.parent.parent,
    }
    assert wanted <= before
    assert [path for path in before if path.name.startswith(f"{NAME}.") and path.suffix == ".part"]
    assert (folder, True) in synced


@pytest.mark.parametrize("harmed", ["manifest.json", "lanes"])
def test_a_run_whose_staged_rows_are_torn_is_closed_and_its_dumps_can_be_run_again(shop: Shop, harmed: str) -> None:
    """After a power cut, say: no bug, nothing is sent from half a file, and the next run needs no force."""
    shop.dump(*(f"{number},Delft" for number in range(4)))
    busy = {"kind": "429", "method": "POST", "path": "/v4/imports", "retry_after": 600}
    shop.sandbox.set_faults([{**busy, "nth": [2, 3, 4]}])
    ran = shop.run("load.chunk_rows=2", "http.retry_budget_s=1")
    assert (ran.exit_code, ran.records["confirmed"]) == (6, 2), ran.stderr
    shop.sandbox.set_faults([])
    folder, posts = shop.state / "runs" / ran.document["run"] / "staged", len(shop.posted())
    for path in [folder / harmed] if harmed.endswith("json") else sorted((folder / harmed).rglob("*.arrow")):
        path.write_bytes(b"")
    again = shop.resume()
    assert again.exit_code == 6, again.stderr
    assert "what was staged for the run is not whole" in again.stderr
    assert len(shop.posted()) == posts
    assert shop.done().records["confirmed"] == 4
    assert shop.numbers() == ["0", "1", "2", "3"]
