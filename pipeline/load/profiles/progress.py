"""Keep the account of one chunk while its rows go profile by profile (pure but for its locks; the ledger is given)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock

import polars as pl

from pipeline.load.methods import RowLog
from pipeline.load.profiles.rows import ProfileRow
from pipeline.model.outcome import Ending, Outcome
from pipeline.model.row_state import RowEntry, RowState

# Profiles whose rows are recorded together before the first of them is sent: these may have been sent.
WINDOW_PROFILES = 50


class Course:
    """How far the groups of a chunk have come; many workers report to it.

    `ordinal` is the chunk's, `entries` what the ledger had of the rows before.
    """

    def __init__(
        self, ordinal: int, groups: list[list[ProfileRow]], log: RowLog, entries: Mapping[int, RowEntry]
    ) -> None:
        self.ordinal = ordinal
        self.groups, self.log, self.entries = groups, log, entries
        self.counts: Counter[RowState] = Counter()
        self._confirmed: set[int] = set()
        self._last_rows = {group[-1].position for group in groups}
        self._first_trouble = ""
        self._windows: set[int] = set()
        self._lock, self._window_lock = Lock(), Lock()

    @property
    def unfinished(self) -> bool:
        """Say whether any row has no outcome."""
        return self.counts.total() < sum(map(len, self.groups))

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

    def end(self, row: ProfileRow, state: RowState, message: str = "") -> None:
        """Record and count what became of a row.

        A confirmed row may be sent again after a crash as long as no later one of its profile was: then its record may
        wait for others.
        """
        self.log.ended(row.position, state, message, later=state.confirmed and row.position in self._last_rows)
        self.count(row, state, message)

    def count(self, row: ProfileRow, state: RowState, message: str = "") -> None:
        """Count a row whose outcome is recorded."""
        with self._lock:
            self.counts[state] += 1
            if state.confirmed:
                self._confirmed.add(row.position)
            elif not self._first_trouble:
                self._first_trouble = f"line {row.cells['_line']}: {message}"

    def outcome(self, stopped: str | None, *, wrote: bool) -> Outcome:
        """Say how the chunk ended: `stopped` is why no more was sent, `wrote` whether anything was.

        What was stopped part way is `submitted`: it is to be carried again.
        """
        counts, rows = self.counts, sum(map(len, self.groups))
        confirmed = sum(number for state, number in counts.items() if state.confirmed)
        failed = sum(number for state, number in counts.items() if state.failed)
        unknown = counts[RowState.UNKNOWN]
        unsent = rows - confirmed - failed - unknown
        if stopped is not None and unsent:
            ending = Ending.SUBMITTED if wrote or unsent < rows else Ending.UNSENT
        else:
            ending = Ending.UNKNOWN if unknown else Ending.FAILED if failed else Ending.CONFIRMED
        message = stopped or ""
        if not message and confirmed < rows:
            message = (
                f"{failed} rows failed, {unknown} are unknown, {unsent} were not sent; first {self._first_trouble}"
            )
        return Outcome(
            ending,
            confirmed,
            failed,
            unknown,
            unsent,
            message=message,
            open_keys=self._open_keys() if confirmed < rows else None,
            stop=stopped is not None,
        )

    def _open_keys(self) -> pl.Series:
        """Give the `_key`s of profiles with a row that is not confirmed; none where the job has no key (data rule 23)."""
        found = {
            group[0].key_hash
            for group in self.groups
            if group[0].key_hash and any(row.position not in self._confirmed for row in group)
        }
        return pl.Series("_key", sorted(found), dtype=pl.UInt64)
