"""Taken objects: files that were read once, and how far growing ones were read; the files themselves stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class TakenObject:
    """A file, or the beginning of a growing one, that was ingested."""

    object_name: str
    sha256: str
    """Of the bytes taken: all of them, or the first `offset_bytes`."""
    offset_bytes: int
    modified_us: int
    """The file's own time when it was taken."""


def newest(connection: Connection, source: str, object_name: str) -> TakenObject | None:
    """What was taken of an object last."""
    row = connection.execute(
        "SELECT object_name, sha256, offset_bytes, modified_us FROM taken_objects"
        " WHERE source = ? AND object_name = ? ORDER BY taken_at_us DESC, offset_bytes DESC LIMIT 1",
        (source, object_name),
    ).fetchone()
    return None if row is None else TakenObject(*row)


def is_taken(connection: Connection, source: str, object_name: str, sha256: str) -> bool:
    """Whether these bytes were taken under this name."""
    row = connection.execute(
        "SELECT 1 FROM taken_objects WHERE source = ? AND object_name = ? AND sha256 = ?",
        (source, object_name, sha256),
    ).fetchone()
    return row is not None


def save(tx: Connection, source: str, taken: TakenObject, *, now_us: int) -> None:
    """Remember an object as taken; the same bytes again only renew its time."""
    tx.execute(
        "INSERT INTO taken_objects (source, object_name, sha256, offset_bytes, modified_us, taken_at_us)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source, object_name, sha256)"
        " DO UPDATE SET modified_us = excluded.modified_us, taken_at_us = excluded.taken_at_us",
        (source, taken.object_name, taken.sha256, taken.offset_bytes, taken.modified_us, now_us),
    )
