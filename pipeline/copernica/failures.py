"""What the API client raises (pure).

The leaves are the client's own; who uses it in a pipeline translates them into exit codes. No message, argument or
attribute ever holds a token, a query string or the value of a customer.
"""

from __future__ import annotations

import copy
from typing import Self


class ApiError(Exception):
    """A call did not do what was asked.

    `message` may be logged; `words` is the message of the API, redacted: it may quote a customer and is written to the private
    ledger and in failed.csv only. `status` is the HTTP status where there was an answer. `maybe_sent` is the one thing
    that a caller must know of a changing request: it is True when Copernica may have carried it out (the answer was lost,
    or one of several attempts got none), and False when it certainly did not. For a request that only reads it is False.
    `repeatable` means that the request leaves the same state when it is sent again.
    `of_exchange` is True where it was not the API that failed, but the host that exchanges the token.
    """

    of_exchange = False
    repeatable = False

    def __init__(self, message: str, *, status: int | None = None, maybe_sent: bool = False, words: str = "") -> None:
        self.message = message
        self.status = status
        self.maybe_sent = maybe_sent
        self.words = words or message
        super().__init__(message)

    def after_a_change(self) -> Self:
        """Return the same error of a request of which an earlier attempt may have been carried out."""
        return self._with(maybe_sent=True)

    def at_the_exchange(self) -> Self:
        """Return the same error of the exchange of the token."""
        return self._with(of_exchange=True)

    def _with(self, **facts: bool) -> Self:
        twin = copy.copy(self)
        twin.__dict__.update(self.__dict__, **facts)
        return twin


class NotSentError(ApiError):
    """Nothing reached the API: no connection, no name, no TLS; not within the time for trying again, if there was any use."""


class LostError(ApiError):
    """No answer came, or none that shows the outcome; a changing request may have been carried out.

    `look_up` is True where the way on is to look whether the record is there (by its key), False where only a person or
    only a later look shows it (an import).
    """

    def __init__(
        self, message: str, *, status: int | None = None, maybe_sent: bool = True, look_up: bool = False
    ) -> None:
        super().__init__(message, status=status, maybe_sent=maybe_sent)
        self.look_up = look_up


class RefusedError(ApiError):
    """Copernica answered no."""

    def __init__(self, message: str, *, words: str, status: int, maybe_sent: bool = False) -> None:
        super().__init__(message, status=status, maybe_sent=maybe_sent, words=words)


class AuthError(ApiError):
    """The token is not accepted, also after it was exchanged anew; the run has to end, not the row."""


class BudgetSpentError(ApiError):
    """The time for trying again (`retry_budget_s`) is used up; `message` has the last fault.

    Where no attempt reached the API it is a NotSentError instead.
    """


class CallLimitError(ApiError):
    """The next call would be more than `max_calls`; it was not made."""


class CancelledError(ApiError):
    """The run was interrupted while a call waited for its turn or for another attempt."""


class UnexpectedResponseError(ApiError):
    """The answer does not fit the question: no JSON, another database, rows that the selector excludes."""


class UnsupportedError(ApiError):
    """This version of the API has no such call; nothing was sent."""
