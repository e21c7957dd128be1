"""Run the command line and stop the process at one of its steps: `crash.py WHERE NUMBER WORDS...`.

WHERE is `ledger-before`, `ledger-after` (the changing statements of the ledger), `wire-before`, `wire-after` (the requests),
`post-before`, `post-after` (those that change something), `end-before` (the record of how the run ended), `none`, or `count`,
which stops nothing and writes how many steps of each kind there were to the file named by NUMBER. CRASH_SIGNAL is the signal,
SIGKILL by default.
This wraps methods of the program from outside, which no test of its behaviour does: a process cannot be killed at an
exact step otherwise.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.__main__ import main
from pipeline.copernica.transport import Outgoing, Transport
from pipeline.state.database import SharedDatabase
from pipeline.state.ledger import Ledger

steps = {"ledger": 0, "wire": 0, "post": 0, "end": 0}
SIGNAL = signal.Signals[os.environ.get("CRASH_SIGNAL", "SIGKILL")]


def watch(owner: type, name: str, kind: str, where: str, number: int, changes: Callable[..., bool]) -> None:
    """Count the calls of a method, and die before or after one of them."""
    original = getattr(owner, name)

    def counted(self: Any, *words: Any, **more: Any) -> Any:
        if not changes(*words):
            return original(self, *words, **more)
        steps[kind] += 1
        mine = steps[kind] == number
        if mine and where == f"{kind}-before":
            os.kill(os.getpid(), SIGNAL)
        result = original(self, *words, **more)
        if mine and where == f"{kind}-after":
            os.kill(os.getpid(), SIGNAL)
        return result

    setattr(owner, name, counted)


def is_change(statement: str, *_: Any) -> bool:
    return statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))


def changes_something(outgoing: Outgoing) -> bool:
    return outgoing.method != "GET" and "authenticate" not in outgoing.url


if __name__ == "__main__":
    where, number, *words = sys.argv[1:]
    step = 0 if where in ("count", "none") else int(number)
    watch(SharedDatabase, "execute", "ledger", where, step, is_change)
    watch(SharedDatabase, "executemany", "ledger", where, step, is_change)
    watch(Ledger, "end", "end", where, step, lambda *_: True)
    watch(Transport, "send", "wire", where, step, lambda *_: True)
    watch(Transport, "send", "post", where, step, changes_something)
    code = main(words)
    if where == "count":
        Path(number).write_text(json.dumps(steps))
    sys.exit(code)
