"""The workspace's files: private modes, and no network file system under the database."""

from __future__ import annotations

import os
from pathlib import Path

from dataspine.errors import StorageError

NETWORK_TYPES = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "fuse.sshfs"})
"""File systems whose locks SQLite cannot trust."""


def refuse_network_filesystem(path: Path) -> None:
    """Raise StorageError if `path` lies on a network file system (Linux tells; elsewhere nothing is known)."""
    kind = filesystem_type(path)
    if kind in NETWORK_TYPES:
        raise StorageError(
            "the workspace must not lie on a network file system, its locks lose data",
            found=kind,
            where=str(path),
            cure="Put the workspace on a local disk",
        )


def filesystem_type(path: Path) -> str | None:
    """Type of the file system that holds `path`; None where the system does not say."""
    table = Path("/proc/self/mounts")
    if not table.exists():
        return None
    target = str(path.resolve())
    best: tuple[str, str | None] = ("", None)
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        _device, mount, kind, *_ = line.split(" ")
        mount = mount.replace("\\040", " ")
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def create_private(path: Path) -> None:
    """Create an empty file of mode 0600 if there is none, whatever the umask."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)


def make_private_directory(path: Path) -> None:
    """Create a directory of mode 0700 if there is none."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_directory(path: Path) -> None:
    """Make a rename or creation in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
