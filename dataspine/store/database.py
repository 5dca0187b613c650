"""The database: opened by one recipe, changed in immediate transactions, its errors named with a cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from dataspine.errors import BusyError, DataspineError, StorageCorrupt, StorageError, StorageFull
from dataspine.store.filesystem import create_private, refuse_network_filesystem
from dataspine.store.sqlite import Connection, sqlite

BUSY_TIMEOUT_MS = 5_000
CACHE_KIB = 65_536
"""The default of 2 MiB halves the speed of bulk writes."""
JOURNAL_LIMIT_BYTES = 64 * 1024**2
CHECKPOINT_PAGES = 8_000
"""Pages in the journal before they are copied home, 32 MB: bulk chunks touch the same pages again and again."""

_RECIPE = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    f"PRAGMA cache_size = -{CACHE_KIB}",
)
# FULL: with NORMAL, acknowledged batches were lost in 37 of 120 simulated power cuts.
_WRITER_RECIPE = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
)
# Primary result codes of SQLite (sqlite.org/rescode.html).
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26


class Database:
    """One connection to one workspace's database; not shared between threads."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.fence: Callable[[Connection], None] | None = None
        """Runs first in every transaction; raises LeaseLost when another engine has taken over."""
        with named_errors(path):
            self.connection = _connect(path, read_only=read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self.connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of a query; no cursor stays open."""
        with named_errors(self.path):
            return list(self.connection.execute(sql, parameters).fetchall())

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        with named_errors(self.path):
            found = self.connection.execute(sql, parameters).fetchone()
        return None if found is None else tuple(found)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """An immediate transaction: committed whole, or rolled back if anything is raised.

        Raises: BusyError if another writer holds the database for 5 s; LeaseLost; StorageFull, StorageCorrupt,
        StorageError.
        """
        with named_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                if self.fence is not None:
                    self.fence(self.connection)
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise


def _connect(path: Path, *, read_only: bool) -> Connection:
    if read_only:
        if not path.exists():
            raise StorageError("there is no database", where=str(path), cure="Run `dataspine init`")
        connection: Connection = sqlite.connect(
            f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None
        )
    else:
        refuse_network_filesystem(path.parent)
        create_private(path)
        connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    for statement in _RECIPE if read_only else (*_WRITER_RECIPE, *_RECIPE):
        connection.execute(statement)
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's storage errors into ours: what, where, cure."""
    try:
        yield
    except DataspineError:
        raise
    except sqlite.Error as error:
        _raise_named(error, path)
    except OSError as error:
        _raise_system(error, path)


def _raise_named(error: Any, path: Path) -> NoReturn:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    where, what = str(path), str(error)
    if primary in (_BUSY, _LOCKED):
        raise BusyError("another process is writing", where=where, cure="Try again") from error
    if primary == _FULL:
        raise StorageFull(
            "no space left for the database",
            where=where,
            cure="Free space on that disk; nothing acknowledged is lost",
        ) from error
    if primary in (_CORRUPT, _NOTADB):
        raise StorageCorrupt(
            f"the database cannot be read ({what})",
            where=where,
            cure="Keep the file; restore a backup beside it",
        ) from error
    if primary == _READONLY:
        raise StorageError(
            "the database is read-only", where=where, cure="Give yourself write permission"
        ) from error
    if primary == _CANTOPEN:
        raise StorageError(
            "the database cannot be opened",
            where=where,
            cure="Check that the directory exists and is writable",
        ) from error
    if primary == _IOERR:
        raise StorageError(
            f"the disk failed ({what})", where=where, cure="Stop, check the disk, start again; do not retry"
        ) from error
    raise error


def _raise_system(error: OSError, path: Path) -> NoReturn:
    import errno

    where = str(error.filename or path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise StorageFull(
            "no space left on the device", where=where, cure="Free space there; nothing acknowledged is lost"
        ) from error
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        raise StorageError(
            "the workspace cannot be written", where=where, cure="Make it writable for you"
        ) from error
    raise StorageError(f"the file system failed ({error.strerror})", where=where) from error
