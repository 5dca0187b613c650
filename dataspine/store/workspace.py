"""A workspace: one directory with the database, the payload archive, the anchors and the locks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dataspine.clock import Clock
from dataspine.errors import BusyError, StorageError
from dataspine.store.database import Database, named_errors
from dataspine.store.filesystem import make_private_directory
from dataspine.store.migrations import check_version, migrate
from dataspine.store.payloads import Archive

DATABASE_NAME = "dataspine.db"
CONFIG_NAME = "dataspine.toml"
LOCK_WAIT_S = 30.0
_LOCK_POLL_S = 0.05


class Workspace:
    """Open for reading and writing; a missing database is made, an older one migrated.

    Raises: StorageError, StorageFull, StorageCorrupt.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self.archive = Archive(home / "payloads")
        with named_errors(home):
            make_private_directory(home)
            _refuse_foreign(home)
        self.database = Database(home / DATABASE_NAME)
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
        locks = self.home / "locks"
        with named_errors(locks):
            make_private_directory(locks)
            descriptor = os.open(locks / f"{source}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            self._wait_for(descriptor, source)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, source: str) -> None:
        deadline_s = self.clock.monotonic_s() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if self.clock.monotonic_s() > deadline_s:
                    raise BusyError(
                        "another process is ingesting this source", where=source, cure="Wait for it, then try again"
                    ) from error
                self.clock.sleep_s(_LOCK_POLL_S)
            else:
                return


def open_for_reading(home: Path) -> Database:
    """The workspace's database, read-only.

    Raises: StorageError if there is none; StorageCorrupt if it is damaged or newer.
    """
    database = Database(home / DATABASE_NAME, read_only=True)
    check_version(database)
    return database


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
