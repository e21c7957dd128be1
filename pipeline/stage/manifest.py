"""Keep beside the staged rows what is needed to go on without the dumps: counts, sets and the sample (edge: one file)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Problem
from pipeline.model.columns import Sets
from pipeline.model.counts import Intake, SetAside, Staged
from pipeline.model.files import FileFacts, SourceFile
from pipeline.stage.sample import Expectation
from pipeline.state.files import write_whole

NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a run knows once all its rows are staged; written last, so that its presence says that staging is complete."""

    sets: Sets
    intake: Intake
    staged: Staged
    sample: tuple[Expectation, ...]
    rejects: str | None

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder of staged rows, private to the user, beside its place and renamed."""
        write_whole(folder / NAME, json.dumps(dataclasses.asdict(self), default=str).encode())

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Read it back; None where staging was not complete."""
        try:
            found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return cls(
            Sets(**{name: tuple(names) for name, names in found["sets"].items()}),
            _intake(found["intake"]),
            Staged(**found["staged"] | {"conflict_places": tuple(map(tuple, found["staged"]["conflict_places"]))}),
            tuple(_expectation(one) for one in found["sample"]),
            found["rejects"],
        )


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


def _expectation(found: dict[str, Any]) -> Expectation:
    subprofiles = tuple((name, columns) for name, columns in found["subprofiles"])
    return Expectation(found["profile"], subprofiles, tuple(_expectation(one) for one in found["apart"]))
