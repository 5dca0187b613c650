"""A workspace: one directory with the database, the payload archive, the anchors and the locks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dataspine.clock import Clock
from dataspine.errors import StorageCorrupt, StorageError
from dataspine.store import lease
from dataspine.store.database import Database, named_errors
from dataspine.store.filesystem import make_private_directory
from dataspine.store.locks import Holder, locked
from dataspine.store.migrations import check_version, migrate, newest_version
from dataspine.store.payloads import Archive

DATABASE_NAME = "dataspine.db"
CONFIG_NAME = "dataspine.toml"
SMALLEST_DATABASE_BYTES = 512
"""One page of the smallest size; SQLite takes anything shorter for an empty database and writes over it."""


class Workspace:
    """Open for reading and writing; a missing database is made, an older one migrated.

    Raises: StorageError, StorageFull, StorageCorrupt.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self.archive = Archive(home / "payloads")
        self.lease_token: int | None = None
        """Of the lease under which everything here is done, where an engine does it."""
        with named_errors(home):
            make_private_directory(home)
            _refuse_foreign(home)
        # Two processes that make one database at once would each make the tables.
        schema_lock = self._lock_path("_schema")
        with locked(schema_lock, Holder(clock), refusal="another process is making the database"):
            _refuse_lost(home)
            self.database = Database(home / DATABASE_NAME)
            with closing_on_error(self.database):
                self.migrated = migrate(self.database, now_us=clock.now_us())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    @contextmanager
    def source_lock(self, source: str) -> Iterator[None]:
        """The only ingest of this source, in any process; the system frees it when the process dies.

        Raises: BusyError after 30 s.
        """
        holder = Holder(self.clock, self.lease_token, self._newest_token)
        refusal = "another process is ingesting this source"
        with locked(self._lock_path(source), holder, refusal=refusal):
            yield

    def _lock_path(self, name: str) -> Path:
        return self.home / "locks" / f"{name}.lock"

    def _newest_token(self) -> int:
        standing = lease.read(self.database.connection)
        return standing.token if standing else 0


def open_for_reading(home: Path) -> Database:
    """The workspace's database, read-only.

    Raises: StorageError if there is none, or its tables are of an older version; StorageCorrupt if it is damaged or
    newer.
    """
    database = Database(home / DATABASE_NAME, read_only=True)
    with closing_on_error(database):
        have, newest = check_version(database), newest_version()
        if have < newest:
            raise StorageError(
                "the database has not been made or brought up to date",
                found=f"schema {have}, this version reads {newest}",
                where=str(database.path),
                cure="Run `dataspine init`",
            )
    return database


@contextmanager
def closing_on_error(database: Database) -> Iterator[None]:
    """Close a database that turned out to be of no use."""
    try:
        yield
    except BaseException:
        database.close()
        raise


def _refuse_lost(home: Path) -> None:
    """Refuse to begin anew where a database was: whoever lost it wants it back, not an empty one in its place."""
    path, payloads = home / DATABASE_NAME, home / "payloads"
    size_bytes = path.stat().st_size if path.exists() else 0
    had_one = payloads.is_dir() and any(payloads.iterdir())
    if size_bytes >= SMALLEST_DATABASE_BYTES or (size_bytes == 0 and not had_one):
        return
    raise StorageCorrupt(
        "the database is gone" if size_bytes == 0 else "the database is cut off",
        found=f"{size_bytes} bytes",
        where=str(path),
        cure="Keep what is left; restore a backup in its place, or name another --home",
    )


def _refuse_foreign(home: Path) -> None:
    """Refuse a directory that other people can write: they could swap the database under us."""
    status = home.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o002:
        raise StorageError(
            "the workspace must be yours and not writable by everybody",
            found=f"owner {status.st_uid}, mode {status.st_mode & 0o777:o}",
            where=str(home),
            cure="chown it to yourself and chmod 700 it",
        )
