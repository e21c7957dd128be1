"""Choose the compiled readers, or those in Python where the compiled ones are not there (wiring)."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

from pipeline.log import get_logger

# `python` takes the readers in Python though the compiled ones are there: for tests and for comparing speeds.
READERS = "COPERNICA_READERS"
_WANTED = os.environ.get(READERS)


@cache
def readers(compiled: str, plain: str) -> ModuleType:
    """Return a compiled module by name, else the one in Python, with a warning of the reason and the price."""
    if _WANTED == "python":
        return _plain(plain, f"{READERS}=python")
    try:
        return import_module(compiled)
    except ImportError as error:
        return _plain(plain, str(error))


def _plain(name: str, reason: str) -> ModuleType:
    _warn(reason)
    return import_module(name)


@cache
def _warn(reason: str) -> None:
    what = (
        "the compiled readers are not there, so that CSV is read about twenty times slower and JSON about ninety times"
    )
    do = "install a C compiler and run pip install --force-reinstall copernica-import, or use its wheel"
    get_logger().warning("readers.in_python", what=what, reason=reason, do=do)
