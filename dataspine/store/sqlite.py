"""SQLite's one door: which library is used, and whether it may be trusted with several writers.

pysqlite3 carries SQLite 3.53; the standard library's may be older than the fix of the WAL-reset race
(present in 3.7.0-3.51.2, fixed in 3.51.3 and in the backports 3.44.6 and 3.50.7). Two copies of SQLite in one
process drop each other's file locks, so nothing else in the package imports either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import pysqlite3 as sqlite
except ImportError:  # no wheel for this platform
    import sqlite3 as sqlite

if TYPE_CHECKING:
    from sqlite3 import Connection, Cursor
else:
    Connection = sqlite.Connection
    Cursor = sqlite.Cursor

__all__ = ["Connection", "Cursor", "has_safe_wal", "sqlite", "version"]

version: str = sqlite.sqlite_version

_FIXED_SINCE = (3, 51, 3)
_BACKPORTS = {(3, 44): 6, (3, 50): 7}


def has_safe_wal(release: str = version) -> bool:
    """Whether this SQLite release is free of the WAL-reset race.

    Source: docs/reference/database.md#sqlite-version
    """
    major, minor, patch = (int(part) for part in release.split(".")[:3])
    if (major, minor, patch) >= _FIXED_SINCE:
        return True
    backport = _BACKPORTS.get((major, minor))
    return backport is not None and patch >= backport
