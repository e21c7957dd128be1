"""Track which profiles were created while other requests were under way (pure but for its memory; API sheet 9)."""

from __future__ import annotations


class Races:
    """Remember for each profile that `create=1` made the newest request at that time (inside `Store.writing`)."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}

    def created(self, profile: int, newest: int) -> None:
        """Remember that `profile` was created when request number `newest` was the newest to have arrived."""
        self._newest[profile] = newest

    def is_hidden(self, profile: int, request: int) -> bool:
        """Return whether a request that looked for `profile` when it arrived did not find it yet."""
        return request <= self._newest.get(profile, 0)

    def clear(self) -> None:
        """Forget everything."""
        self._newest.clear()
