"""Run one command as a whole process and take its time, its CPU time and its peak memory (edge: processes, /proc).

The harness pins itself to the cores that count; what it starts inherits that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STDERR_CHARS = 2_000
# Memory is read this often; children are looked for more rarely, as that reads all of /proc.
_SAMPLE_S = 0.02
_LOOK_FOR_CHILDREN_EVERY = 10


@dataclass(frozen=True)
class Measured:
    """What one process with all its children took.

    `cpu_s` counts children that were waited for. `peak_bytes` is the resident memory of the tree: exact for a single
    process, else the highest of many samples, with pages that are shared counted once (PSS). `private_bytes` leaves out
    pages of files, which the system can take back at any time (polars maps the dump that it reads).
    """

    exit_code: int
    seconds: float
    cpu_s: float
    peak_bytes: int
    private_bytes: int
    stdout: str
    stderr_tail: str


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> Measured:
    """Run a command in `folder`; after `limit_s` seconds it is killed with its children (exit code -9)."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        watch = Watch(process.pid)
        killer = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            seconds = time.perf_counter() - started_s
            killer.cancel()
            watch.end()
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Measured(
        exit_code=process.returncode,
        seconds=seconds,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=max(watch.peak_bytes, usage.ru_maxrss * 1024),
        private_bytes=watch.private_bytes,
        stdout=texts[0],
        stderr_tail=texts[1][-_STDERR_CHARS:],
    )


class Watch:
    """Sample the memory of a process and its children from a thread until it is ended."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self.private_bytes = 0
        self._pids = [pid]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop sampling."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        turn = 0
        while not self._over.wait(_SAMPLE_S):
            turn += 1
            if turn % _LOOK_FOR_CHILDREN_EVERY == 0:
                self._pids = tree(self._pids[0])
            sizes = [_resident(pid) for pid in self._pids]
            private = sum(own for _, own in sizes)
            # The proportional size costs milliseconds of the measured process, so only where something may be shared.
            several = len(self._pids) > 1 and turn % _LOOK_FOR_CHILDREN_EVERY == 0
            whole = sum(map(_proportional, self._pids)) if several else sizes[0][0]
            self.peak_bytes = max(self.peak_bytes, whole)
            self.private_bytes = max(self.private_bytes, private)


def tree(pid: int) -> list[int]:
    """List a process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def _resident(pid: int) -> tuple[int, int]:
    """Return resident and private bytes of a process, zeros when it has ended."""
    try:
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    except (OSError, ValueError):
        return 0, 0
    return resident * _PAGE_BYTES, (resident - shared) * _PAGE_BYTES


def _proportional(pid: int) -> int:
    """Return the bytes of a process with shared pages divided by those who share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
