"""Search an import that failed for the rows that are to blame, by sending it again in pieces (wiring; data rule 26)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.load.by_row import send_by_row
from pipeline.load.cut import pieces_of
from pipeline.load.judge import judge
from pipeline.model.chunk import ChunkState, Reason
from pipeline.model.outcome import Stop, StopCode, StoppedError
from pipeline.model.row_state import RowState, Why

if TYPE_CHECKING:
    from pipeline.load.loop import Loop
    from pipeline.load.pending import Item

PIECES = 8
# Pieces of so many rows go row by row.
FEW_ROWS = 50
# Imports whose failure shows nothing of the imports after them.
APART = (Reason.PIECE, Reason.ONCE, Reason.LATE)
TWO_FAILED = "two imports failed one after the other: it may not be the rows"
ALL_FAILED = "every piece of a failed import failed as well: it may not be the rows"


class Search:
    """The imports that failed, and what is done about them.

    After a failure the next whole import shows whether it is the rows: only when that is confirmed the rows are searched.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: list[Item] = []
        self.doubts = False  # the last whole import failed

    def add(self, item: Item) -> None:
        """Take in an import that failed earlier."""
        if not any(one is item for one in self._waiting):
            self._waiting.append(item)
            self.doubts = self.doubts or item.row.reason not in APART

    def failed(self, item: Item) -> None:
        """Take in an import that failed just now; raises StoppedError where it is the second one in a row."""
        if item.row.reason in APART:
            return
        again = self.doubts
        self.add(item)
        self.doubts = True
        if again:
            raise StoppedError(Stop(StopCode.FAILING, TWO_FAILED))

    def succeeded(self, item: Item) -> None:
        """Take note of an import that was confirmed: if it is a whole one, it is the rows of those that failed."""
        self.doubts = self.doubts and item.row.reason in APART

    def go(self) -> None:
        """Search what has failed, once a whole import was confirmed after it."""
        while self._waiting and not self.doubts and self._loop.loading.sends:
            self.search(self._waiting[0])

    def search(self, item: Item) -> bool:
        """Send the rows of a failed import again in pieces, or read them back where that would do harm; returns True."""
        self._waiting = [one for one in self._waiting if one is not item]
        self.doubts = self.doubts and bool(self._waiting)
        loop, target = self._loop, self._loop.loading.job.target
        if target.action == "add" or target.followups:
            once = item.row.reason is Reason.ONCE
            judge(loop, item, Reason.ONCE, unsendable=once, failed=once)
            return True
        rows = loop.parting.chunk_of(item).rows
        if rows.height > FEW_ROWS:
            self._pieces(item, PIECES)
        elif loop.loading.falls_back:
            send_by_row(loop, item)
        elif rows.height == 1 and item.row.reason in (Reason.PIECE, Reason.LATE):
            self._refuse(item)
        else:
            self._pieces(item, rows.height)
        return True

    def _pieces(self, item: Item, most: int) -> None:
        """Send an import again in at most so many pieces, in row order; those that fail are searched further.

        Raises StoppedError where all pieces of a whole import fail.
        """
        loop = self._loop
        whole = item.row.reason not in APART
        pieces = loop.parting.set_apart(item, pieces_of(loop.parting.chunk_of(item).rows, most), Reason.PIECE)
        for piece in pieces:
            loop.check()
            if piece is pieces[-1]:
                self._refuse_single_rows(pieces[:-1], whole)
            loop.send(piece)
            loop.land(piece)
        failed = _failed(pieces)
        if whole and len(failed) == len(pieces) > 1:
            raise StoppedError(Stop(StopCode.FAILING, ALL_FAILED))
        for piece in failed:
            loop.check()
            self.search(piece)

    def _refuse_single_rows(self, tried: Sequence[Item], whole: bool) -> None:
        """End the pieces of one row that failed, so that the last piece can carry the rebuild (data rule 24).

        Not where nothing of a whole import was taken yet: it may not be the rows.
        """
        failed = _failed(tried)
        if not whole or len(failed) < len(tried):
            for piece in failed:
                if piece.row.rows == 1:
                    self._refuse(piece)

    def _refuse(self, item: Item) -> None:
        why = Why("refused_by_api", "", item.row.words or item.row.message or "")
        self._loop.parting.set_aside(item, RowState.FAILED, why, failed=item.row.rows)


def _failed(items: Sequence[Item]) -> list[Item]:
    return [one for one in items if one.row.state is ChunkState.FAILED]
