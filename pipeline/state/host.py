"""Find the place that all runs of a host share, with permissions for whoever shares it (edge: the file system).

Registers and locks of databases lie in `COPERNICA_HOST_DIR`, by default the user's folder for state. Where several users
share it, an administrator makes it for their group, such as `install -d -m 2770 -g GROUP DIR`: what is made in it is open
to whoever may write to the folder itself.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import JobError, Problem
from pipeline.state.files import sync

HOST_DIR = "COPERNICA_HOST_DIR"
_STANDARD_PORTS = {"http": 80, "https": 443}
MOUNTS = Path("/proc/self/mountinfo")
# SQLite's write-ahead log needs memory that all its users share, and locks that hold: no network file system has both.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|afs|ncpfs|ceph|lustre|gpfs|beegfs|glusterfs|orangefs|pvfs2|coda|davfs"
    r"|fuse\.(sshfs|s3fs|gcsfuse|goofys|rclone|glusterfs|ceph\w*|davfs2|blobfuse2?|mount-s3|juicefs|curlftpfs)"
)
# File systems that a restart, or a new container, leaves nothing of.
_FLEETING = frozenset({"overlay", "aufs", "tmpfs", "ramfs"})


def host_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of registers and locks; raises JobError for a relative one, or where there is no home."""
    named = environ.get(HOST_DIR, "")
    if not named:
        return user_state(environ) / "copernica-import"
    if not Path(named).is_absolute():
        raise JobError(Problem(f"{named!r} is no absolute path", HOST_DIR, "write the whole path"))
    return Path(named)


def user_state(environ: Mapping[str, str]) -> Path:
    """Return the user's folder for state; a relative `XDG_STATE_HOME` does not count (XDG base directories)."""
    named = Path(environ.get("XDG_STATE_HOME") or "")
    if named.is_absolute():
        return named
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError:
        problem = Problem("there is no home folder for registers and locks", HOST_DIR, "set it, or HOME")
        raise JobError(problem) from None


def database_name(api_url: str, database_id: int) -> str:
    """Name one database of one API host, so that the name serves as a file's."""
    parts = urlsplit(api_url)
    port = parts.port or _STANDARD_PORTS.get(parts.scheme, 0)
    host = re.sub(r"[^a-z0-9.-]", "_", (parts.hostname or "").lower())
    return f"{host}-{port}-database-{database_id}"


def open_shared(path: Path) -> int:
    """Open a file of a shared folder to read and write, made where it is missing; return its descriptor.

    Its folder is made with the permissions of the one above it, the file with those of its folder: who may write there
    may use it, whatever the umask. A new folder that has nothing above it is the user's alone. Raises OSError.
    """
    _make_folder(path.parent)
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    mode = 0o600 | stat.S_IMODE(path.parent.stat().st_mode) & 0o066
    found = os.fstat(number)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(number, mode)
    return number


def _make_folder(folder: Path) -> None:
    """Make a subfolder of the place with its permissions, and the place itself private."""
    if folder.is_dir():
        return
    place = folder.parent
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(stat.S_IMODE(place.stat().st_mode))
    sync(place)


@dataclass(frozen=True)
class Mount:
    """Where a file system is mounted, and its type as the kernel names it."""

    point: Path
    type: str


def mount_of(path: Path, mounts: Path = MOUNTS) -> Mount | None:
    """Return the mount that holds a path, which need not exist; None where the system does not list its mounts."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    real, found = Path(os.path.realpath(path)), None
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split()[4]))
        # Of two mounts on one point the later one hides the other.
        if real.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            found = Mount(point, after.split()[0])
    return found


def refuse_network(folder: Path, what: str, mounts: Path = MOUNTS) -> None:
    """Raise JobError where a folder lies on a network file system, on which SQLite can lose what it has written."""
    mount = mount_of(folder, mounts)
    if mount is not None and _NETWORK.fullmatch(mount.type):
        found = f"{what} cannot lie on a network file system ({mount.type}): what is recorded there can be lost"
        do = "name a folder on a disk of this host; only staged rows may lie elsewhere (state.staged_dir)"
        raise JobError(Problem(found, str(folder), do))


def host_warnings(environ: Mapping[str, str] = os.environ, mounts: Path = MOUNTS) -> tuple[Problem, ...]:
    """Name what makes the shared place unreliable, for `check`; raises JobError where a run would be refused for it."""
    folder = host_dir(environ)
    refuse_network(folder, "the register of a database", mounts)
    mount = mount_of(folder, mounts)
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        do = f"make it writable, or name another folder in {HOST_DIR}"
        raise JobError(Problem("the folder of registers and locks cannot be written by this user", str(folder), do))
    if mount is not None and mount.type in _FLEETING:
        what = (
            f"lies on a file system that does not last ({mount.type}), and which other containers of this host do not"
            " see: what other runs still have on the wire is forgotten with it"
        )
        return (Problem(what, str(folder), f"mount a folder of the host, and name it in {HOST_DIR}"),)
    return ()
