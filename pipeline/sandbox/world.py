"""Put together everything one sandbox is: store, clock, switches, journal, faults, tokens, imports (wiring)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.sandbox.auth import Tokens
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.faults import Faults, read_faults
from pipeline.sandbox.imports import Imports
from pipeline.sandbox.journal import Journal
from pipeline.sandbox.store import Store
from pipeline.sandbox.structure import Structure, build, read_structure
from pipeline.sandbox.switches import Switches

StructureSource = Path | str | Mapping[str, Any] | None


class World:
    """The state of one sandbox. Raises JobError for a bad structure, fault or switch, or an unusable store."""

    def __init__(
        self,
        structure: StructureSource = None,
        token: str = "sandbox",  # noqa: S107 (the well-known token of a server that only listens on loopback)
        store: Path | None = None,
        faults: Path | str | list[dict[str, Any]] | None = None,
        switches: Mapping[str, object] | None = None,
    ) -> None:
        """Take how it starts; `faults` is a file, or a list of rules."""
        self._structure: Structure = read_structure(structure)
        self._rules = read_faults(faults)
        self._first_switches = switches or {}
        self.switches = Switches()
        self.switches.choose(self._first_switches)
        self.account = self._structure.account
        self.clock = Clock()
        self.journal = Journal()
        # Per profile that `create=1` made the newest request at that time: what was under way then did not see it.
        self.newest_request: dict[int, int] = {}
        self.faults = Faults(self._rules)
        self.tokens = Tokens(token, self.account.id, self.clock)
        self._is_kept = store is not None
        self.store = Store(store)
        self.journal.restore(self.store.journal())
        self.imports = Imports(self.store, self.clock, self.switches)
        self._choose()
        with self.store.writing():
            build(self._structure, self.store, self.clock.stamp())

    def reset(self) -> None:
        """Go back to the start: structure without data, no journal, first faults and switches, real time."""
        self.imports.clear()
        self.store.clear()
        self.clock.reset()
        self.faults.set(self._rules)
        self._choose()
        with self.store.writing():
            build(self._structure, self.store, self.clock.stamp())
        self.journal.clear()
        self.newest_request.clear()

    def set_switches(self, wanted: Mapping[str, object]) -> None:
        """Choose other behaviours. Raises JobError for a wrong switch."""
        with self.store.writing():
            self.switches.choose(wanted)
            self._collate()

    def close(self) -> None:
        """End the import worker, keep the journal beside what is stored, and close the store."""
        self.imports.close()
        if self._is_kept:
            with self.store.writing():
                self.store.save_journal(self.journal.entries())
        self.store.close()

    def _choose(self) -> None:
        self.switches.reset()
        self.switches.choose(self._structure.switches)
        self.switches.choose(self._first_switches)
        self._collate()

    def _collate(self) -> None:
        accents = self.switches["collation"] == "accents"
        if accents != self.store.records.accents:
            self.store.records.accents = accents
            self.store.records.forget()
