"""The payload archive: every vendor byte, once, in a file named by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dataspine.errors import StorageCorrupt
from dataspine.schemas.payload import Payload
from dataspine.store.database import named_errors
from dataspine.store.filesystem import make_private_directory, sync_directory
from dataspine.store.sqlite import Connection


class Archive:
    """Files `payloads/ab/abcdef…`, byte for byte as received, mode 0600, never changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path_of(self, sha256: str) -> Path:
        """Where the bytes of this hash stand, or would stand."""
        return self.directory / sha256[:2] / sha256

    def keep(self, blocks: Iterable[bytes], *, object_name: str, received_at_us: int) -> Payload:
        """Write the bytes to disk, durably, before anyone parses them.

        Raises: StorageFull, StorageError; and whatever reading `blocks` raises, in which case nothing is kept.
        """
        with named_errors(self.directory):
            make_private_directory(self.directory)
            # Threads that keep payloads at one instant, on a clock that is held still, need names of their own.
            part = self.directory / f".part-{os.getpid()}-{threading.get_ident()}-{received_at_us}"
            try:
                sha256, size_bytes = _write(part, blocks)
                self._settle(part, sha256)
            finally:
                part.unlink(missing_ok=True)
        return Payload(sha256, size_bytes, object_name, received_at_us)

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, as a file open for reading.

        Raises: StorageCorrupt if they are gone.
        """
        try:
            return self.path_of(sha256).open("rb")
        except FileNotFoundError as error:
            raise StorageCorrupt(
                "an archived payload is missing",
                found=sha256,
                where=str(self.path_of(sha256)),
                cure="Restore it from a backup of the workspace",
            ) from error

    def _settle(self, part: Path, sha256: str) -> None:
        final = self.path_of(sha256)
        if not final.parent.exists():
            make_private_directory(final.parent)
            sync_directory(self.directory)
        # Bytes that are there already are replaced by the same bytes, which heals a file that was damaged.
        part.replace(final)
        sync_directory(final.parent)


def _write(path: Path, blocks: Iterable[bytes]) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    # Buffered: a raw write takes what still fits on the disk and reports the rest to nobody.
    with os.fdopen(descriptor, "wb") as file:
        for block in blocks:
            digest.update(block)
            file.write(block)
            size_bytes += len(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size_bytes


def payload_row(tx: Connection, payload: Payload, *, source_id: int, origin: str = "fetch") -> int:
    """Number of a payload's row, which is made if this is a new receipt."""
    if payload.payload_id is not None:
        return payload.payload_id
    cursor = tx.execute(
        "INSERT INTO payloads (sha256, source_id, size_bytes, object_name, origin, received_at_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (payload.sha256, source_id, payload.size_bytes, payload.object_name, origin, payload.received_at_us),
    )
    return int(cursor.lastrowid or 0)


def as_received(tx: Connection, payload: Payload, *, source: str) -> Payload:
    """The payload under the number and instant of its receipt, where it is known.

    An object that still has the bytes it had is no news: whenever it is read again, it is judged as it was first. When
    it had others in between, the vendor says something new, and that is a receipt of its own.
    """
    if payload.payload_id is not None:
        return payload
    newest = tx.execute(
        "SELECT payload_id, received_at_us, sha256 FROM payloads JOIN sources USING (source_id)"
        " WHERE name = ? AND object_name = ? ORDER BY payload_id DESC LIMIT 1",
        (source, payload.object_name),
    ).fetchone()
    if newest is None or newest[2] != payload.sha256:
        return payload
    return replace(payload, payload_id=int(newest[0]), received_at_us=int(newest[1]))


def find_payload(tx: Connection, payload_id: int) -> tuple[Payload, str]:
    """A payload and its origin by number."""
    row = tx.execute(
        "SELECT sha256, size_bytes, object_name, received_at_us, origin FROM payloads WHERE payload_id = ?",
        (payload_id,),
    ).fetchone()
    return Payload(row[0], row[1], row[2], row[3], payload_id), row[4]
