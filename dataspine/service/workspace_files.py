"""The workspace's files as `doctor` sees them: modes, free space, and the archive against its table."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dataspine.service.finding import Finding, named
from dataspine.store.payloads import Archive

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.store.inspection import KnownPayload

FREE_BYTES_MIN = 1024**3
PRIVATE_FILES = ("dataspine.db", "dataspine.db-wal", "dataspine.db-shm", "audit-anchors.jsonl", ".env")
PRIVATE_FOLDERS = ("payloads", "locks")
_OTHERS = 0o077
_READ_BYTES = 4 * 1024**2
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"\.part-([0-9]+)-[0-9]+")


def check_modes(home: Path) -> Iterator[Finding]:
    """Whether anybody but the owner can read or enter something of the workspace."""
    folders = [home, *(home / name for name in PRIVATE_FOLDERS)]
    paths = [*folders, *(home / name for name in PRIVATE_FILES)]
    for folder in folders[1:]:
        paths += sorted(folder.rglob("*"))
    open_paths = [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    if open_paths:
        yield Finding(
            "FILE_MODE",
            f"{len(open_paths)} files or folders are open to others: {named(open_paths)}",
            f"chmod -R go= {home}",
        )


def check_free_space(home: Path, *, free_bytes_min: int = FREE_BYTES_MIN) -> Iterator[Finding]:
    """Whether the disk has room for the next payloads."""
    free_bytes = shutil.disk_usage(home).free
    if free_bytes < free_bytes_min:
        mebibytes = free_bytes // 1024**2
        yield Finding(
            "DISK_SPACE",
            f"{mebibytes} MiB are free on the disk of {home}",
            "Free at least 1 GiB on that disk",
        )


def check_archive(home: Path, known: Sequence[KnownPayload], *, deep: bool) -> Iterator[Finding]:
    """Whether every payload of the table is archived, whole (`deep`: byte for byte), and nothing else is."""
    archive = Archive(home / "payloads")
    found = {path.name: path for path in sorted(archive.directory.rglob("*")) if path.is_file()}
    missing = [payload.sha256 for payload in known if payload.sha256 not in found]
    if missing:
        yield Finding(
            "PAYLOAD_MISSING",
            f"{len(missing)} archived payloads are gone: {named(missing)}",
            f"Restore them into {archive.directory} from a backup of the workspace",
            is_corruption=True,
        )
    kept = [payload for payload in known if payload.sha256 in found]
    changed = [payload.sha256 for payload in kept if not _is_whole(found[payload.sha256], payload, deep=deep)]
    if changed:
        yield Finding(
            "PAYLOAD_CHANGED",
            f"{len(changed)} archived payloads are not the bytes that were received: {named(changed)}",
            "Keep the files for evidence, check the disk, restore them from a backup of the workspace",
            is_corruption=True,
        )
    yield from _check_strangers(found, {payload.sha256 for payload in known})


def _is_whole(path: Path, payload: KnownPayload, *, deep: bool) -> bool:
    if path.stat().st_size != payload.size_bytes:
        return False
    return not deep or _sha256_of(path) == payload.sha256


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check_strangers(found: dict[str, Path], known: set[str]) -> Iterator[Finding]:
    """Files that no row of the table names."""
    unused = [name for name in found if _SHA256.fullmatch(name) and name not in known]
    if unused:
        yield Finding(
            "PAYLOAD_UNUSED",
            f"{len(unused)} archived payloads were never judged: {named(unused)}",
            "Ingest their source again; what was received before a crash is kept and goes on from there",
        )
    parts = [(path, _PART.fullmatch(name)) for name, path in found.items() if not _SHA256.fullmatch(name)]
    strange = [path for path, part in parts if part is None or not _is_alive(int(part[1]))]
    if strange:
        yield Finding(
            "PAYLOAD_PART",
            f"{len(strange)} files in the archive are no payloads: {named(strange)}",
            "Their writers are gone; delete them",
        )


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
