"""Conduct the measurement: dumps, sink, rounds, results (wiring)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import HERE, ROOT, SMALL_ROWS, Call, Case
from benchmarks.data import SUFFIX
from benchmarks.measure import Measured, measure

# Nothing of the environment that could change what is measured; the token is as good as any to the sink.
_KEPT = ("PATH", "HOME", "LANG", "TZ", "PYTHONPATH")
# Far above any measurement that makes sense: 5,000 rows a second.
_SLOWEST_ROWS_PER_S = 5_000
_LEAST_LIMIT_S = 60.0
_LAST_WORDS_CHARS = 400


@dataclass
class Result:
    """All repetitions of a section, or why it failed."""

    case: Case
    rows: int
    runs: list[Measured] = field(default_factory=list)
    sink_cpu_s: list[float] = field(default_factory=list)
    state_bytes: int = 0
    error: str = ""

    @property
    def best_s(self) -> float:
        """Return the seconds of the fastest repetition."""
        return min(run.seconds for run in self.runs)

    @property
    def median_s(self) -> float:
        """Return the median of the seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """Return the CPU seconds of the repetition that took fewest."""
        return min(run.cpu_s for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """Return the highest memory of all repetitions in MB (10**6 bytes)."""
        return max(run.peak_bytes for run in self.runs) / 1e6

    @property
    def ok(self) -> bool:
        """Return whether every repetition did what it must."""
        return bool(self.runs) and not self.error

    def to_dict(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        found: dict[str, Any] = {"about": self.case.about, "rows": self.rows, "status": "ok" if self.ok else "failed"}
        if not self.ok:
            return found | {"error": self.error}
        runs = [
            {
                "seconds": round(run.seconds, 3),
                "cpu_s": round(run.cpu_s, 3),
                "peak_mb": round(run.peak_bytes / 1e6, 1),
                "private_mb": round(run.private_bytes / 1e6, 1),
                "sink_cpu_s": round(sink, 3),
            }
            for run, sink in zip(self.runs, self.sink_cpu_s, strict=True)
        ]
        return found | {
            "best_s": round(self.best_s, 3),
            "median_s": round(self.median_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "rows_per_s": round(self.rows / self.best_s),
            "peak_mb": round(self.peak_mb, 1),
            **({"state_bytes": self.state_bytes} if self.state_bytes else {}),
            "runs": runs,
        }


@dataclass(frozen=True)
class Setting:
    """What all measurements of a run share."""

    rows: int
    repetitions: int
    python: str = sys.executable
    other_python: str = str(HERE / ".venv-others" / "bin" / "python")
    data: Path = HERE / "data"


def bench(cases: Sequence[Case], setting: Setting) -> list[Result]:
    """Measure the sections side by side: every round runs each of them once, so that a slow minute hits all alike.

    Sections with ten times the rows come last, once each, and their dumps do not stay.
    """
    results = [Result(case, case.rows_of(setting.rows)) for case in cases]
    with running_sink() as sink:
        for result in results:
            _warm_up(result, setting, sink)
        for round_number in range(setting.repetitions):
            for result in (one for one in results if one.case.scale == 1 and not one.error):
                _say(f"round {round_number + 1} of {setting.repetitions}: {result.case.name}")
                _measure_once(result, dump(setting.data, result.case.variant, result.rows), setting, sink)
        for result in (one for one in results if one.case.scale > 1 and not one.error):
            _say(f"{result.case.name}: {result.rows:,} rows, once")
            path = dump(setting.data, result.case.variant, result.rows)
            _measure_once(result, path, setting, sink)
            path.unlink()
    return results


def dump(data: Path, variant: str, rows: int) -> Path:
    """Return the dump of a variant, made now unless it is there; dumps of an earlier shape are removed."""
    shape = hashlib.sha256((HERE / "data.py").read_bytes()).hexdigest()[:8]
    folder = data / shape
    for old in data.glob("*"):
        if old != folder and old.name != "scratch":
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{variant}-{rows}.{SUFFIX[variant]}"
    if not path.exists():
        _say(f"making {path.name}")
        command = [sys.executable, "-m", "benchmarks.data", variant, str(rows), str(path)]
        subprocess.run(command, cwd=ROOT, check=True)
    return path


@dataclass(frozen=True)
class SinkAt:
    """A sink that runs."""

    url: str

    def reset(self) -> None:
        """Set its counts to zero."""
        self._ask("/_reset", b"")

    def counts(self) -> dict[str, Any]:
        """Return what it counted."""
        return dict(json.loads(self._ask("/_counts", None)))

    def _ask(self, path: str, data: bytes | None) -> bytes:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url + path, data) as answer:
            return bytes(answer.read())


@contextmanager
def running_sink() -> Iterator[SinkAt]:
    """Start the sink as a process of its own and end it."""
    command = [sys.executable, str(HERE / "sink.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield SinkAt(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.stdin.close()


def _warm_up(result: Result, setting: Setting, sink: SinkAt) -> None:
    """Run a section once on 1,000 rows: compiled modules are there then, and a command that is broken shows itself."""
    _say(f"trying {result.case.name}")
    trial = Result(result.case, SMALL_ROWS)
    _measure_once(trial, dump(setting.data, result.case.variant, SMALL_ROWS), setting, sink)
    result.error = trial.error


def _measure_once(result: Result, path: Path, setting: Setting, sink: SinkAt) -> None:
    """Add one repetition to a result, or its error; whatever the command writes goes again."""
    case, rows = result.case, result.rows
    scratch = setting.data / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    _read_into_cache(path)
    os.sync()  # what others have written does not slow this one down
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "COPERNICA_TOKEN": "bench-token",
        "COPERNICA_API_URL": sink.url,
        "COPERNICA_AUTH_URL": f"{sink.url}/authenticate",
    }
    before = None if case.before is None else dump(setting.data, "adjacent", rows)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        inside = Path(folder) / "state"
        host = Path(folder) / "host"
        environment["COPERNICA_HOST_DIR"] = str(host)
        call = Call(setting.python, setting.other_python, path, sink.url, inside, before)
        if case.before is not None:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(case.before(call), env=environment, check=True, **quiet)
            os.sync()
        sink.reset()
        cpu_s = sink.counts()["cpu_s"]
        limit_s = max(_LEAST_LIMIT_S, rows / _SLOWEST_ROWS_PER_S)
        try:
            run = measure(case.command(call), environment, Path(folder), limit_s)
        except OSError as error:
            result.error = f"could not be started: {error}"
            return
        counts = sink.counts()
        result.state_bytes = sum(path.stat().st_size for path in (host / "confirmed").glob("*/*") if path.is_file())
    result.error = _fault_of(case, rows, run, counts["rows"])
    result.runs.append(run)
    result.sink_cpu_s.append(counts["cpu_s"] - cpu_s)


def _fault_of(case: Case, rows: int, run: Measured, arrived: int) -> str:
    """Return what a command did not do, as text for the table and the JSON; nothing is a measurement that lost rows."""
    if run.exit_code:
        last_words = (run.stderr_tail.strip() or run.stdout.strip())[-_LAST_WORDS_CHARS:]
        return f"exit code {run.exit_code}: {last_words.replace(str(ROOT), '.')}"
    wanted = case.accepted(rows) if case.checks else rows
    if case.arrives is not None:
        wanted = case.arrives(rows)
    if case.sends and arrived != wanted:
        return f"{arrived} rows arrived, not {wanted}"
    if not case.sends:
        try:
            accepted = json.loads(run.stdout)["records"]["accepted"]
        except (ValueError, KeyError, TypeError):
            return f"no summary on stdout: {run.stdout[:200]!r}"
        if accepted != wanted:
            return f"{accepted} rows were accepted, not {wanted}"
    return ""


def _read_into_cache(path: Path) -> None:
    """Read a dump once, so that no measurement pays for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
