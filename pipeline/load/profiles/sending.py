"""Send requests that may not be repeated: record each, and look up what became of it when its answer is lost.

What goes out and what is looked at are given as functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipeline.copernica.failures import ApiError, LostError
from pipeline.model.row_state import RowEntry
from pipeline.state.row_records import RowRecords

# How often a creating request goes out that got 503, each time after a look that found nothing (API sheet 18).
MOST_TRIES = 3

T = TypeVar("T")


class PresentError(LostError):
    """A request that makes something got 503, and its key, which was absent before, is there now.

    The record is not as it was sent: Copernica stored it in another way, or somebody else has made it.
    """

    def __init__(self) -> None:
        super().__init__(
            "the answer was 503, and a record with this key has come that is not as it was sent", status=503
        )


def send_or_find(send: Callable[[], T], look: Callable[[], T | None], *, again: bool) -> T:
    """Send, and where the answer is lost look whether the request was carried out (API sheet 18, data rule 28).

    `look` gives None where nothing shows that it was; then only a 503 is followed by another try, and only with `again`.
    Where `look` raises PresentError nothing is sent again, whatever the answer was; it is passed on after a 503 only.
    Raises what `send` raises; every error after a lost answer has `maybe_sent`.
    """
    for left in reversed(range(MOST_TRIES)):
        try:
            return send()
        except ApiError as error:
            lost = error.after_a_change() if left < MOST_TRIES - 1 else error
            if not isinstance(lost, LostError) or not lost.look_up:
                raise lost from error.__cause__
            try:
                found = look()
            except PresentError:
                if lost.status == 503:
                    raise
                raise lost from None
            except ApiError as unread:
                raise unread.after_a_change() from unread.__cause__
            if found is not None:
                return found
            if lost.status != 503 or not again or not left:
                raise lost from error.__cause__
    raise AssertionError("the last try returns or raises")


class Steps:
    """The POSTs of one row, each recorded before and after, and what an earlier process recorded of them."""

    def __init__(self, log: RowRecords, position: int, entry: RowEntry | None) -> None:
        self._log, self._position = log, position
        self._posts: dict[str, int | None] = dict(entry.posts) if entry else {}

    def made(self, kind: str) -> int | None:
        """Return the id of what this POST made, None where it was never sent or its outcome is not known."""
        return self._posts.get(kind)

    def require_certain(self, kind: str) -> None:
        """Raise LostError where this POST may have been carried out, or may be yet (data rule 28)."""
        if kind in self._posts and self._posts[kind] is None:
            raise LostError(f"the run broke off while the {kind} was added; whether it was is not known")

    def post(self, kind: str, send: Callable[[], int]) -> int:
        """Send a POST that makes something, and return its id; raises what `send` raises."""
        self._log.posting(self._position, kind)
        try:
            number = send()
        except ApiError as error:
            if not error.maybe_sent:
                self._log.unposted(self._position, kind)
            raise
        self._log.posted(self._position, kind, number)
        self._posts[kind] = number
        return number
