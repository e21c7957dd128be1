"""Keep the journal of requests and their hazards in memory (pure but for its memory)."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from pipeline.sandbox.hazards import Notes

# Requests that are kept; hazards are kept however old. A long run must not fill the memory.
MOST_ENTRIES = 100_000


class Journal:
    """Number requests from 1 and remember each, with the notes that may still grow while an import runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[tuple[dict[str, Any], Notes]] = deque(maxlen=MOST_ENTRIES)
        self._with_hazards: list[tuple[dict[str, Any], Notes]] = []
        self._number = 0

    def next_number(self) -> int:
        """Take the number of the next request."""
        with self._lock:
            self._number += 1
            return self._number

    @property
    def last_number(self) -> int:
        """The number of the newest request."""
        return self._number

    def write(self, entry: dict[str, Any], notes: Notes) -> None:
        """Remember a request; its `entry`, which has at least `n`, may still be filled."""
        with self._lock:
            self._entries.append((entry, notes))

    def entries(self) -> list[dict[str, Any]]:
        """List the requests by number, each with its hazards so far."""
        with self._lock:
            kept = sorted(self._entries, key=lambda pair: int(pair[0]["n"]))
        return [{**entry, "hazards": notes.as_list()} for entry, notes in kept]

    def watch(self, entry: dict[str, Any], notes: Notes) -> None:
        """Keep the hazards of a request however old it becomes."""
        with self._lock:
            self._with_hazards.append((entry, notes))

    def hazards(self) -> list[dict[str, Any]]:
        """List the hazards of all requests, each with the request's number, method and path."""
        with self._lock:
            watched = list(self._with_hazards)
        return [
            {"n": entry["n"], "method": entry["method"], "path": entry["path"], **hazard}
            for entry, notes in sorted(watched, key=lambda pair: int(pair[0]["n"]))
            for hazard in notes.as_list()
        ]

    def restore(self, entries: list[dict[str, Any]]) -> None:
        """Load what an earlier sandbox wrote, as `entries` lists it."""
        for entry in entries:
            notes = Notes.of(entry.pop("hazards"))
            self.write(entry, notes)
            if notes.as_list():
                self.watch(entry, notes)
            self._number = max(self._number, int(entry["n"]))

    def clear(self) -> None:
        """Forget all requests and hazards; numbers go on."""
        with self._lock:
            self._entries.clear()
            self._with_hazards.clear()
