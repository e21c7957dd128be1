"""Keep the account of one chunk while its rows go profile by profile (pure but for its locks; the ledger is given)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from pipeline.load.profiles.rows import ProfileRow
from pipeline.model.row_state import RowEntry, RowState, Why
from pipeline.state.row_records import RowRecords

# Profiles whose rows are recorded together before the first of them is sent: these may have been sent.
WINDOW_PROFILES = 50


class ChunkProgress:
    """How far the groups of a chunk have come; many workers report to it. `entries` is what the ledger had before."""

    def __init__(self, groups: list[list[ProfileRow]], log: RowRecords, entries: Mapping[int, RowEntry]) -> None:
        self.groups, self.log, self.entries = groups, log, entries
        self.counts: Counter[RowState] = Counter()
        self._last_rows = {group[-1].position for group in groups}
        self.first_trouble = ""
        self._windows: set[int] = set()
        self._lock, self._window_lock = Lock(), Lock()

    def open_window(self, at: int) -> None:
        """Record that the rows of a group, and of some beside it, may be on the wire from now on (invariant 7)."""
        window = at // WINDOW_PROFILES
        with self._window_lock:
            if window in self._windows:
                return
            first = window * WINDOW_PROFILES
            beside = (row.position for group in self.groups[first : first + WINDOW_PROFILES] for row in group)
            self.log.window([position for position in beside if position not in self.entries])
            self._windows.add(window)

    def end(self, row: ProfileRow, state: RowState, why: Why | None = None) -> None:
        """Record and count what became of a row.

        A confirmed row may be sent again after a crash as long as no later one of its profile was: then its record may
        wait for others.
        """
        self.log.ended(row.position, state, why, later=state.confirmed and row.position in self._last_rows)
        self.count(row, state, "" if why is None else why.code)

    def count(self, row: ProfileRow, state: RowState, trouble: str = "") -> None:
        """Count a row whose outcome is recorded."""
        with self._lock:
            self.counts[state] += 1
            if not state.confirmed and not self.first_trouble:
                self.first_trouble = f"line {row.cells['_line']}: {trouble or state.value}"

    @property
    def confirmed(self) -> int:
        """Return the rows that are confirmed."""
        return sum(number for state, number in self.counts.items() if state.confirmed)

    @property
    def failed(self) -> int:
        """Return the rows that failed."""
        return sum(number for state, number in self.counts.items() if state.failed)
