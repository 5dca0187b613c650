"""File locks between processes: freed by the system when their holder dies, taken from engines that were replaced."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.errors import BusyError
from dataspine.store.database import named_errors
from dataspine.store.filesystem import make_private_directory

if TYPE_CHECKING:
    from dataspine.clock import Clock

LOCK_WAIT_S = 30.0
_LOCK_POLL_S = 0.05
_MAX_TOKEN_BYTES = 20
_CURE = "Wait for it, then try again"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who takes locks: an engine signs them with its lease's token, anybody else leaves them blank."""

    clock: Clock
    token: int | None = None
    newest_token: Callable[[], int] = lambda: 0
    """Token of the lease that stands; an engine with a lower one can write nothing, so its locks mean nothing."""


@contextmanager
def locked(path: Path, holder: Holder, *, refusal: str) -> Iterator[None]:
    """Hold a lock for the time of the block.

    Raises: BusyError with `refusal` after 30 s; StorageError.
    """
    with named_errors(path):
        make_private_directory(path.parent)
        descriptor = _acquired(path, holder, refusal)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquired(path: Path, holder: Holder, refusal: str) -> int:
    deadline_s = holder.clock.monotonic_s() + LOCK_WAIT_S
    while True:
        descriptor = _opened(path)
        try:
            if _try_lock(descriptor, path):
                _sign(descriptor, holder.token)
                return descriptor
            taken_over = _taken_over(descriptor, path, holder)
            if taken_over is not None:
                os.close(descriptor)
                return taken_over
            _wait(holder.clock, deadline_s, BusyError(refusal, where=path.stem, cure=_CURE))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait(clock: Clock, deadline_s: float, refusal: BusyError) -> None:
    """Let some time pass, or refuse when all of it has."""
    if clock.monotonic_s() > deadline_s:
        raise refusal
    clock.sleep_s(_LOCK_POLL_S)


def _opened(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, path: Path) -> bool:
    """Lock the open file, if it is still the one that stands at the path."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_at(descriptor, path)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int, token: int | None) -> None:
    os.ftruncate(descriptor, 0)
    if token is not None:
        os.pwrite(descriptor, str(token).encode(), 0)


def _taken_over(descriptor: int, path: Path, holder: Holder) -> int | None:
    """A new lock, ours, in the place of one that a replaced engine holds while it stands still."""
    if not _is_void(descriptor, holder):
        return None
    guard = _opened(path.with_name("_takeover.lock"))
    try:
        # Two that take over at once: the second finds another file at the path, and waits for it.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not _is_at(descriptor, path):
            return None
        new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        ours = _opened(new)
        fcntl.flock(ours, fcntl.LOCK_EX)
        _sign(ours, holder.token)
        new.replace(path)
    finally:
        os.close(guard)
    return ours


def _is_void(descriptor: int, holder: Holder) -> bool:
    signature = os.pread(descriptor, _MAX_TOKEN_BYTES, 0)
    return signature.isdigit() and int(signature) < holder.newest_token()
