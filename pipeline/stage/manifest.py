"""Keep beside the staged rows what is needed to go on without the dumps: counts, sets and the sample (edge: one file)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Problem, RunDamagedError
from pipeline.model.columns import Sets
from pipeline.model.counts import Intake, SetAside, Staged
from pipeline.model.files import FileFacts, SourceFile
from pipeline.stage.narrowing import Narrowed
from pipeline.stage.run_rows import ALL_LANES, PLANNED_LANES
from pipeline.stage.sample import Expectation, expectation_from
from pipeline.state.files import sync, sync_tree, write_whole

NAME = "manifest.json"
# Of the manifest; one of another version counts as damaged.
FORMAT = 3


@dataclass(frozen=True)
class Manifest:
    """What a run knows once all its rows are staged; written last, so that its presence means that staging is complete."""

    sets: Sets
    intake: Intake
    staged: Staged
    sample: tuple[Expectation, ...]
    rejects: str | None
    narrowed: Narrowed | None = None

    @property
    def to_send(self) -> Staged:
        """Return the counts of the rows that are sent."""
        return self.staged if self.narrowed is None else self.narrowed.to_send

    @property
    def lanes(self) -> str:
        """Return the name of the folder of the rows that are sent."""
        return ALL_LANES if self.narrowed is None else self.narrowed.lanes

    def write(self, folder: Path) -> None:
        """Put the staged rows on disk, then the manifest: after a power cut they are there whole, or count as not staged."""
        sync_tree(folder)
        for above in (folder.resolve().parent, *folder.parents[:3]):  # up to the state folder
            sync(above)
        found = {"format": FORMAT, "sizes": _sizes(folder), **dataclasses.asdict(self)}
        write_whole(folder / NAME, json.dumps(found, default=str).encode())

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read it back; raises RunDamagedError where staging was not complete, or its files are not what they were."""
        try:
            found = json.loads((folder / NAME).read_bytes())
            if found.pop("format") != FORMAT or not _whole(folder, found.pop("sizes")):
                raise ValueError("its files are not those that were staged")
            return cls._of(found)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"what was staged for the run is not whole ({type(error).__name__})"
            raise RunDamagedError(Problem(what, str(folder), "run its dumps again")) from None

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Manifest:
        return cls(
            Sets(**{name: tuple(names) for name, names in found["sets"].items()}),
            _intake(found["intake"]),
            Staged(**found["staged"] | {"conflict_places": tuple(map(tuple, found["staged"]["conflict_places"]))}),
            tuple(expectation_from(one) for one in found["sample"]),
            found["rejects"],
            None if found["narrowed"] is None else Narrowed.of(found["narrowed"]),
        )


def _sizes(folder: Path) -> dict[str, int]:
    """List the files of staged rows with their sizes in bytes, by their paths in the folder."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*.arrow"))}


def _whole(folder: Path, sizes: dict[str, int]) -> bool:
    """Return whether the files that were staged are there, none of them torn; others may have come since.

    Those of a plan that is applied stand aside, behind the ones that are sent.
    """
    there = _sizes(folder)
    aside = {
        f"lanes{name.removeprefix(PLANNED_LANES)}": size
        for name, size in there.items()
        if name.startswith(f"{PLANNED_LANES}/")
    }
    return all(size in (there.get(name), aside.get(name)) for name, size in sizes.items())


def _intake(found: dict[str, Any]) -> Intake:
    facts = tuple(
        FileFacts(**one | {"file": SourceFile(**one["file"] | {"path": Path(one["file"]["path"])})})
        for one in found["facts"]
    )
    set_aside = tuple(_set_aside(one) for one in found["set_aside"])
    hints = tuple(Problem(**one) for one in found["hints"])
    return Intake(**found | {"facts": facts, "set_aside": set_aside, "hints": hints})


def _set_aside(found: dict[str, Any]) -> SetAside:
    return SetAside(**found | {"places": tuple(map(tuple, found["places"])), "masked": tuple(found["masked"])})
