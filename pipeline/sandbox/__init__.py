"""A local Copernica for tests and first steps: `Sandbox` runs it in a thread (wiring; light until it is used)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.sandbox.server import ServerThread
    from pipeline.sandbox.world import World

__all__ = ["Sandbox"]


def require_extra() -> None:
    """Raise JobError where the packages that serve HTTP are not installed."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        from pipeline.errors import JobError, Problem

        what = f"the sandbox needs packages that are not installed: {', '.join(missing)}"
        raise JobError(Problem(what, "copernica-import sandbox", "pip install 'copernica-import[sandbox]'"))


class Sandbox:
    """Run a sandbox on a free port of loopback for the length of a `with` block.

    `structure` is a file or a mapping, `faults` a file or a list of rules, `switches` a mapping; docs/sandbox.md
    explains them. Raises JobError when one of them is wrong.
    """

    def __init__(
        self,
        structure: Path | str | Mapping[str, Any] | None = None,
        token: str = "sandbox",  # noqa: S107 (the well-known token of a server on loopback)
        store: Path | str | None = None,
        faults: Path | str | list[dict[str, Any]] | None = None,
        switches: Mapping[str, object] | None = None,
    ) -> None:
        self._given = (structure, token, Path(store) if store else None, faults, switches)
        self._world: World | None = None
        self._thread: ServerThread | None = None
        self.token = token
        self.api_url = ""
        self.auth_url = ""

    def __enter__(self) -> Sandbox:
        """Start, and return when it listens. Raises JobError where the extra is not installed."""
        require_extra()
        from pipeline.sandbox.server import Server, ServerThread
        from pipeline.sandbox.world import World

        self._world = World(*self._given)
        try:
            server = Server(self._world)
            self._thread = ServerThread(server)
            self._thread.start()
        except BaseException:
            self._world.close()
            raise
        self.api_url, self.auth_url = server.url, f"{server.url}/authenticate"
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, the import worker and the store."""
        if self._thread is not None:
            self._thread.stop()
        if self._world is not None:
            self._world.close()
        self._thread = self._world = None

    @property
    def world(self) -> World:
        """Return the state. Raises RuntimeError outside the `with` block."""
        if self._world is None:
            raise RuntimeError("the sandbox runs only inside its with block")
        return self._world

    def journal(self) -> list[dict[str, Any]]:
        """List all requests so far, with their hazards."""
        return self.world.journal.entries()

    def hazards(self) -> list[dict[str, Any]]:
        """List all hazards so far: `{n, method, path, code, what, detail, times}`."""
        return self.world.journal.hazards()

    def contents(self, database: str | int) -> dict[str, Any]:
        """List what is in a database, by name or id. Raises KeyError for an unknown one."""
        from pipeline.sandbox.control import contents

        found = contents(self.world, str(database))
        if found is None:
            raise KeyError(database)
        return found

    def imports(self) -> list[dict[str, Any]]:
        """List the internal report of each import, by id."""
        return self.world.imports.reports()

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until no import is left that can start by itself now; return whether that came in time."""
        return self.world.imports.settle(timeout_s)

    def set_faults(self, rules: list[dict[str, Any]]) -> None:
        """Put other faults in place. Raises JobError for a wrong rule."""
        from pipeline.sandbox.faults import rules_of

        self.world.faults.set(rules_of(rules))

    def set_switches(self, wanted: Mapping[str, object]) -> None:
        """Choose other behaviours. Raises JobError for a wrong switch."""
        self.world.set_switches(wanted)

    def advance(self, seconds: float) -> None:
        """Move the virtual clock ahead; imports that were delayed until then start."""
        self.world.clock.advance(seconds)
        self.world.imports.wake()

    def set_clock(self, now: datetime, frozen: bool = False) -> None:
        """Set the virtual clock to the naive Amsterdam time `now`; frozen, it moves only by `advance`."""
        self.world.clock.set(now)
        self.world.clock.freeze(frozen)
        self.world.imports.wake()

    def reset(self) -> None:
        """Go back to the start: structure without data, no journal, first faults and switches, real time."""
        self.world.reset()
