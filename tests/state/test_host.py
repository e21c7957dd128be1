"""The place that all runs of a host share: where it is, who may use it, and what kind of disk it lies on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.state.folder import private_files
from pipeline.state.host import database_name, host_dir, host_warnings, mount_of, open_shared, refuse_network
from pipeline.state.ledger import Ledger
from pipeline.state.register_file import RegisterFile

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - {root} /dev/vda rw
28 27 0:30 / /mnt/the\\040share rw - nfs4 filer:/x rw
29 27 0:31 / /mnt/the\\040share/disk rw - xfs /dev/vdb rw
30 27 0:32 / /run rw shared:7 - tmpfs tmpfs rw
"""


def mounts(folder: Path, root: str = "ext4") -> Path:
    """Write what the kernel lists; nothing below `folder` is a mount of its own."""
    path = folder / "mountinfo"
    path.write_text(MOUNTS.format(root=root))
    return path


def test_the_place_is_named_by_the_environment_else_it_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absolute COPERNICA_HOST_DIR, else an absolute XDG_STATE_HOME, else ~/.local/state."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    xdg = {"XDG_STATE_HOME": "/var/x"}
    assert host_dir({"COPERNICA_HOST_DIR": str(tmp_path), **xdg}) == tmp_path
    assert host_dir(xdg) == host_dir({"COPERNICA_HOST_DIR": "", **xdg}) == Path("/var/x/copernica-import")
    assert host_dir({"XDG_STATE_HOME": "here"}) == host_dir({}) == tmp_path / "home/.local/state/copernica-import"
    with pytest.raises(JobError, match="'here' is no absolute path"):
        host_dir({"COPERNICA_HOST_DIR": "here"})


def test_a_database_has_one_name_however_the_address_is_written() -> None:
    """Scheme and port belong together, letters' case does not matter, and the name serves as a file's."""
    name = "api.copernica.com-443-database-7"
    assert database_name("https://api.copernica.com", 7) == database_name("https://API.copernica.com:443/v4", 7) == name
    assert database_name("http://[::1]:8765", 7) == "__1-8765-database-7"


@pytest.mark.parametrize(
    ("folder", "file"), [(0o700, 0o600), (0o770, 0o660), (0o2770, 0o660), (0o755, 0o644), (0o777, 0o666)]
)
def test_what_is_made_there_is_open_to_whoever_may_use_the_place(tmp_path: Path, folder: int, file: int) -> None:
    """Whatever the umask; the group of a folder with the group bit is inherited."""
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(folder)
    with private_files():
        os.close(open_shared(place / "locks" / "a.lock"))
    assert stat.S_IMODE((place / "locks").stat().st_mode) == folder
    assert stat.S_IMODE((place / "locks" / "a.lock").stat().st_mode) == file
    assert (place / "locks" / "a.lock").stat().st_gid == place.stat().st_gid


def test_a_place_that_is_not_there_is_made_private(tmp_path: Path) -> None:
    os.close(open_shared(tmp_path / "a" / "b" / "locks" / "a.lock"))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b", tmp_path / "a" / "b" / "locks")]
    assert modes == [0o700, 0o700]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others write to, it could lead anywhere."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_shared(tmp_path / "locks" / "a.lock")
    assert not (tmp_path / "elsewhere").exists()


def test_the_mount_of_a_path_is_the_innermost_one(tmp_path: Path) -> None:
    """Blanks in its name are written as octal codes; a path need not exist."""
    listed = mounts(tmp_path)
    found = {path: mount_of(Path(path), listed) for path in ("/mnt/the share/a", "/mnt/the share/disk/a", "/mnt/the")}
    assert {path: mount and (str(mount.point), mount.type) for path, mount in found.items()} == {
        "/mnt/the share/a": ("/mnt/the share", "nfs4"),
        "/mnt/the share/disk/a": ("/mnt/the share/disk", "xfs"),
        "/mnt/the": ("/", "ext4"),
    }
    assert mount_of(tmp_path, tmp_path / "no list of mounts") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "fuse.sshfs", "fuse.s3fs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """SQLite can lose there what it has written; the error says where, and what may lie there."""
    with pytest.raises(JobError) as caught:
        refuse_network(tmp_path, "the ledger", mounts(tmp_path, kind))
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"the ledger cannot lie on a network file system ({kind})")
    assert (problem.where, "state.staged_dir" in problem.do) == (str(tmp_path), True)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "virtiofs", "9p", "fuse.overlayfs", "nfsx"]
)
def test_a_file_system_of_this_host_is_not_refused(tmp_path: Path, kind: str) -> None:
    refuse_network(tmp_path, "the ledger", mounts(tmp_path, kind))


def test_check_warns_of_a_place_that_does_not_last_or_is_of_no_use(tmp_path: Path) -> None:
    """Gone with the container: a warning; on the network, not writable: refused; a plain folder gets no warning."""
    here = {"COPERNICA_HOST_DIR": str(tmp_path / "host")}

    def warned(root: str, environ: dict[str, str] = here) -> list[str]:
        return [one.what.partition(":")[0] for one in host_warnings(environ, mounts(tmp_path, root))]

    assert warned("ext4") == []
    assert "does not last (overlay)" in warned("overlay")[0]
    assert "does not last (tmpfs)" in warned("ext4", {"COPERNICA_HOST_DIR": "/run/copernica"})[0]
    with pytest.raises(JobError, match="the register of a database cannot lie on a network file system"):
        warned("nfs")
    (tmp_path / "file").touch()
    with pytest.raises(JobError, match="cannot be written by this user"):
        warned("ext4", {"COPERNICA_HOST_DIR": str(tmp_path / "file" / "x")})


def test_ledger_and_register_refuse_a_network_file_system(tmp_path: Path) -> None:
    """Both are SQLite, which can lose there what it has written; nothing is made."""
    path = mounts(tmp_path, "nfs4")
    with pytest.raises(JobError, match="the ledger cannot lie on a network file system"):
        Ledger(tmp_path / "state", path)
    with pytest.raises(JobError, match="the register of a database cannot lie on a network file system"):
        RegisterFile.open(tmp_path / "registers" / "a.sqlite", path)
    assert list(tmp_path.iterdir()) == [path]
