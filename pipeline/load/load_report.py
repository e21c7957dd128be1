"""Hold what became of the staged rows (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.model.outcome import Ending, Outcome


@dataclass(frozen=True)
class Trouble:
    """A chunk that is not confirmed: where its rows stand in the input, (file, line) first and last, and why.

    `per_profile` says that its rows went one by one, so that each has an outcome of its own.
    """

    ordinal: int
    rows: int
    first: tuple[int, int]
    last: tuple[int, int]
    ending: Ending
    message: str
    per_profile: bool = False


@dataclass
class LoadReport:
    """What became of the staged rows: chunks by ending, rows by outcome, and what a person has to know of the rest.

    `rows` has confirmed, failed, unknown and unsent; `whole` says that these are the rows of all chunks, else the others
    were not come to and are unsent too. `rebuilt` says whether the last chunk ended confirmed as an import, `worked` whether
    anything was left to do, `stopped` why nothing more was sent, `refused` that the first import was refused and nothing
    sent.
    """

    chunks: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unmatched: int | None = None
    troubles: list[Trouble] = field(default_factory=list)
    stopped: str = ""
    refused: bool = False
    interrupted: bool = False
    rebuilt: bool = False
    worked: bool = False
    whole: bool = False

    @property
    def anything_sent(self) -> bool:
        """Say whether any chunk may have reached Copernica."""
        return any(ending not in ("unsent", "held") for ending in self.chunks)

    @property
    def all_final(self) -> bool:
        """Say whether every chunk so far is final; the import that carries `rebuild` waits for that (data rule 24)."""
        return all(ending in ("confirmed", "failed") for ending in self.chunks)

    @property
    def settled(self) -> bool:
        """Say whether nothing is left that could be gone on with: every chunk is confirmed or failed for good."""
        return not self.stopped and self.all_final

    def unsent(self, accepted: int) -> int:
        """Give how many of the accepted rows are unsent, by the rows counted where every chunk was (data rule 2)."""
        return self.rows.get("unsent", 0) + (0 if self.whole else accepted - sum(self.rows.values()))

    def count(self, outcome: Outcome) -> None:
        """Count one chunk."""
        self.chunks[outcome.ending] = self.chunks.get(outcome.ending, 0) + 1
        for name in ("confirmed", "failed", "unknown", "unsent"):
            self.rows[name] = self.rows.get(name, 0) + getattr(outcome, name)
        if outcome.unmatched is not None:
            self.unmatched = (self.unmatched or 0) + outcome.unmatched
