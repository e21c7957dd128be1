"""Describe the machine and the versions that something was measured with (edge: /proc, the interpreters)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

_PACKAGES = ("polars", "pandera", "requests", "pydantic", "dlt", "pyarrow")
_ASK = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def machine(cores: set[int]) -> dict[str, object]:
    """Describe the machine; `cores` are those that were used."""
    return {
        "cpu": _value_of("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "cores_used": len(cores),
        "memory_mb": round(int(_value_of("/proc/meminfo", "MemTotal").split()[0]) / 1024),
        "kernel": platform.release(),
    }


def versions(*pythons: str) -> list[dict[str, str]]:
    """Ask each interpreter that is there for its version and those of the packages that matter."""
    asked = [_versions_of(python) for python in pythons if Path(python).exists()]
    return [found for found in asked if found]


def _versions_of(python: str) -> dict[str, str]:
    answer = subprocess.run([python, "-c", _ASK, *_PACKAGES], capture_output=True, text=True, check=False)
    return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


def _value_of(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0"
