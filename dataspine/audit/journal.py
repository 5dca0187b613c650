"""An append-only file of whole lines: mode 0600, one appender at a time, a torn tail cut."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataspine.clock import Clock, SystemClock
from dataspine.errors import BusyError, RequestError, StorageError, StorageFull
from dataspine.store.filesystem import make_private_directory, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOG = logging.getLogger(__name__)
_BLOCK_BYTES = 65_536
_LOCK_ATTEMPTS = 100
_LOCK_PAUSE_S = 0.05


class Journal:
    """The file at `path`, made with its folders if absent.

    `opening` is how every line begins: a file that begins otherwise is not ours and is never cut. `durable`
    syncs the disk after each append; without it a line survives the process, not a power cut.
    """

    def __init__(
        self, path: Path, *, opening: bytes, durable: bool = False, clock: Clock | None = None
    ) -> None:
        self.path = path
        self._durable = durable
        self._clock = clock or SystemClock()
        self._thread_lock = threading.Lock()
        self._fd = _open(path)
        try:
            self._refuse_foreign(opening)
            if durable and self.size_bytes == 0:
                sync_directory(path.parent)
            with self.locked():
                pass
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the file back; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def size_bytes(self) -> int:
        """Size of the file now."""
        return os.fstat(self._fd).st_size

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file alone, ending in a whole line.

        Raises: BusyError if another process keeps it; ValueError after `close`.
        """
        if self._fd < 0:
            raise ValueError(f"{self.path} is closed")
        with self._thread_lock:
            self._lock()
            try:
                self._cut_torn_tail()
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def last_line(self) -> bytes | None:
        """The newest whole line with its line feed, or None in an empty file; call it inside `locked`."""
        end = self.size_bytes
        if end == 0:
            return None
        start = self._line_start(end - 1)
        return os.pread(self._fd, end - start, start)

    def append(self, lines: bytes) -> None:
        """Write whole lines; all of them or none. Call it inside `locked`.

        Raises: StorageFull, StorageError.
        """
        end = self.size_bytes
        try:
            _write_all(self._fd, lines)
            if self._durable:
                os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, end)
            raise storage_error(error, self.path) from error

    def _lock(self) -> None:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                self._clock.sleep_s(_LOCK_PAUSE_S)
        raise BusyError(
            "another process holds the file", where=str(self.path), cure="Try again when it is done."
        )

    def _cut_torn_tail(self) -> None:
        """Cut what a crash left after the last line feed."""
        end = self.size_bytes
        if end == 0 or os.pread(self._fd, 1, end - 1) == b"\n":
            return
        start = self._line_start(end)
        os.ftruncate(self._fd, start)
        os.fsync(self._fd)
        _LOG.warning(
            "%s: cut a torn last line, %d bytes at offset %d, left by a crash", self.path, end - start, start
        )

    def _line_start(self, end: int) -> int:
        """Offset after the last line feed before `end`."""
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            found = os.pread(self._fd, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0

    def _refuse_foreign(self, opening: bytes) -> None:
        # A power cut may leave a first line of NULs, or a part of one.
        first = os.pread(self._fd, len(opening), 0).rstrip(b"\0")
        if not opening.startswith(first):
            raise RequestError(
                "the file exists and is not a journal of ours",
                where=str(self.path),
                cure="Name another file, or move this one aside.",
            )


def _open(path: Path) -> int:
    # O_NONBLOCK: a named pipe in the file's place must be refused, not waited for.
    try:
        make_private_directory(path.parent)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise storage_error(error, path) from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise RequestError("not a regular file", where=str(path), cure="Name a file.")
    if stat.S_IMODE(found.st_mode) != 0o600 and found.st_uid == os.geteuid():
        os.fchmod(fd, 0o600)
    return fd


def _write_all(fd: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(fd, rest) :]


def storage_error(error: OSError, path: Path) -> StorageError:
    """A system error as ours, with path and cure."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull("no space left", where=str(path), cure="Free space and try again.")
    return StorageError(
        f"cannot write: {error.strerror}", where=str(path), cure="Check the path and its permissions."
    )
