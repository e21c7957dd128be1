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
from types import ModuleType
from typing import Any

from benchmarks.case import HERE, ROOT, SMALL_ROWS, Call, Case
from benchmarks.data import SUFFIX, damaged
from benchmarks.figure import Figure
from benchmarks.measure import Measured, measure

# Nothing of the environment that could change what is measured; the token is as good as any to the sink.
_KEPT = ("PATH", "HOME", "LANG", "TZ", "PYTHONPATH")
# Far above any measurement that makes sense: 5,000 rows a second.
_SLOWEST_ROWS_PER_S = 5_000
_LEAST_LIMIT_S = 60.0
_LAST_WORDS_CHARS = 400


@dataclass
class Result:
    """All repetitions of a case, or why it failed; `summary` (`--json`, ours only) and `arrived` are of the last one."""

    case: Case
    rows: int
    runs: list[Measured] = field(default_factory=list)
    sink_cpu_s: list[float] = field(default_factory=list)
    state_bytes: int = 0
    summary: dict[str, Any] = field(default_factory=dict)
    arrived: int = 0
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
    """Measure cases side by side: every round runs each of them once, so that a slow minute hits all alike.

    Those with ten times the rows come last, once each, and their dumps do not stay.
    """
    results = [Result(case, case.rows_of(setting.rows)) for case in cases]
    with running_sink() as sink:
        for result in results:
            _warm_up(result, setting, sink)
        for round_number in range(setting.repetitions):
            for result in (one for one in results if one.case.scale == 1):
                if round_number < (result.case.rounds or setting.repetitions):
                    _measure_once(result, setting, sink, f"round {round_number + 1} of {setting.repetitions}")
        large = [one for one in results if one.case.scale > 1 and setting.repetitions]
        for number, result in enumerate(large, start=1):
            _measure_once(result, setting, sink, f"{result.rows:,} rows, once")
            if result.rows not in {later.rows for later in large[number:]}:
                for path in (setting.data / _shape()).glob(f"*-{result.rows}.*"):
                    path.unlink()
    return results


def studied(section: ModuleType, setting: Setting) -> list[Figure]:
    """Return the figures of a section that measures by itself; one that fails is a figure that is not met."""
    name = section.__name__.rpartition(".")[2]
    _say(f"study: {name}")
    try:
        return list(section.study(setting))
    except Exception as error:  # noqa: BLE001 - the other sections were measured, and are to be printed
        return [Figure(f"{name} failed: {type(error).__name__}: {error}"[:200], 0, "", "", met=False)]


def dump(data: Path, variant: str, rows: int) -> Path:
    """Return the dump of a variant, made now unless it is there; dumps of an earlier shape are removed."""
    folder = data / _shape()
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


def _shape() -> str:
    """Name the shape of the dumps by the program that makes them."""
    return hashlib.sha256((HERE / "data.py").read_bytes()).hexdigest()[:8]


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
    """Run a case once on 1,000 rows: compiled modules are there then, and a command that is broken shows itself."""
    trial = Result(result.case, SMALL_ROWS)
    _measure_once(trial, setting, sink, "trying")
    result.error = trial.error


def _measure_once(result: Result, setting: Setting, sink: SinkAt, turn: str) -> None:
    """Add one repetition to a result, or its error; whatever the command writes goes again."""
    if result.error:
        return
    _say(f"{turn}: {result.case.name}")
    try:
        path = dump(setting.data, result.case.variant, result.rows)
        before = None if result.case.before is None else dump(setting.data, "adjacent", result.rows)
        scratch = setting.data / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            call = Call(setting.python, setting.other_python, path, sink.url, Path(folder) / "state", before)
            _measure_in(Path(folder), result, call, sink)
    except (OSError, subprocess.SubprocessError) as error:
        result.error = f"could not be measured: {error}"


def _measure_in(folder: Path, result: Result, call: Call, sink: SinkAt) -> None:
    case, host = result.case, folder / "host"
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "COPERNICA_TOKEN": "bench-token",
        "COPERNICA_API_URL": sink.url,
        "COPERNICA_AUTH_URL": f"{sink.url}/authenticate",
        "COPERNICA_HOST_DIR": str(host),
        **case.environment,
    }
    limit_s = max(_LEAST_LIMIT_S, result.rows / _SLOWEST_ROWS_PER_S)
    if case.before is not None:
        night_before = measure(case.before(call), environment, folder, limit_s)
        if night_before.exit_code:
            result.error = f"the night before: {_last_words(night_before)}"
            return
    _read_into_cache(call.dump)
    os.sync()  # what others have written does not slow this one down
    sink.reset()
    cpu_s = sink.counts()["cpu_s"]
    run = measure(case.command(call), environment, folder, limit_s)
    counts = sink.counts()
    result.arrived = counts["rows"]
    result.state_bytes = sum(path.stat().st_size for path in (host / "confirmed").rglob("*") if path.is_file())
    result.error = _fault_of(result, run)
    result.runs.append(run)
    result.sink_cpu_s.append(counts["cpu_s"] - cpu_s)


def _fault_of(result: Result, run: Measured) -> str:
    """Return what a command did not do, as text for the table and the JSON; nothing is a measurement that lost rows."""
    case = result.case
    if run.exit_code:
        return _last_words(run)
    wanted = result.rows - (damaged(case.variant, result.rows) if case.product else 0)
    if case.product:
        try:
            result.summary = json.loads(run.stdout)
            accepted = result.summary["records"]["accepted"]
        except (ValueError, KeyError, TypeError):
            return f"no summary on stdout: {run.stdout[:200]!r}"
        if accepted != wanted:
            return f"{accepted} rows were accepted, not {wanted}"
    if case.arrives is not None:
        wanted = case.arrives(result.rows)
    if case.sends and result.arrived != wanted:
        return f"{result.arrived} rows arrived, not {wanted}"
    return ""


def _last_words(run: Measured) -> str:
    last_words = (run.stderr_tail.strip() or run.stdout.strip())[-_LAST_WORDS_CHARS:]
    return f"exit code {run.exit_code}: {last_words.replace(str(ROOT), '.')}"


def _read_into_cache(path: Path) -> None:
    """Read a dump once, so that no measurement pays for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
