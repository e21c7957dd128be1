"""A disk that loses power or is full and a clock that is set back, for the process of a run: `disk.c`, loaded before libc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

SOURCE = Path(__file__).with_name("disk.c")
# What a power cut leaves: of files what was synced, and of folders all names or those that were synced.
Names = Literal["all names", "synced names"]


@dataclass(frozen=True)
class Disk:
    """The disk below a folder; `kept` has what is safe on it."""

    library: Path
    root: Path
    kept: Path

    def environment(self, **settings: object) -> dict[str, str]:
        """Return the environment of a process that uses it, with settings of `disk.c`."""
        words = {"LD_PRELOAD": self.library, "POWER_ROOT": self.root, **settings}
        return {name: str(value) for name, value in words.items()}

    def begin(self) -> None:
        """Let all that lies there now be safe."""
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment(POWER_KEPT=self.kept).items():
                if name != "LD_PRELOAD":
                    patch.setenv(name, value)
            for path in (self.root, *self.root.rglob("*")):
                if not path.is_symlink():
                    assert self._library.keep_path(bytes(path)) == 0, path

    def cut_power(self, names: Names) -> None:
        """Let everything be as it was when it was synced last; the names in the root itself stay."""
        left = self.root.with_name(f"{self.root.name}-left")
        left.mkdir()
        for one, path in self._entries(self.root, "all names"):
            self._restore(one, path, left / path.name, names)
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in left.iterdir():
            path.rename(self.root / path.name)
        left.rmdir()

    def _restore(self, one: str, now: Path | None, to: Path, names: Names) -> None:
        safe = self.kept / one.removesuffix("/")
        if not one.endswith("/"):
            to.write_bytes(safe.read_bytes() if safe.exists() else b"")
            return
        to.mkdir()
        for inner, path in self._entries(now, names) if names == "all names" else self._synced(safe, now):
            self._restore(inner, path, to / path.name, names)

    def _synced(self, safe: Path, now: Path | None) -> Iterator[tuple[str, Path]]:
        lines = safe.read_text().splitlines() if safe.exists() else []
        for one, is_folder, name in (line.split(" ", 2) for line in lines):
            yield one + "/" * int(is_folder), (now or self.root) / name

    def _entries(self, folder: Path | None, names: Names) -> Iterator[tuple[str, Path]]:
        assert folder is not None, names
        for path in folder.iterdir():
            name = ctypes.create_string_buffer(96)
            is_folder = self._library.identify(bytes(path), name)
            if is_folder >= 0:
                yield name.value.decode() + "/" * is_folder, path

    @property
    def _library(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(self.library))


def make_library(folder: Path) -> Path:
    """Build the library; skips the test where there is no compiler for Linux."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/proc/self/fd").exists():
        pytest.skip("a disk that fails needs a C compiler and Linux")
    library = folder / "disk.so"
    words = [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(words, check=True)
    return library


def disks(folder: Path) -> Iterator[Disk]:
    """Yield the disk below a folder; what is kept of it lies elsewhere, on the same file system."""
    with TemporaryDirectory(dir=folder.parent) as beside:
        yield Disk(make_library(Path(beside)), folder, Path(beside, "kept"))
