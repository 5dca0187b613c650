"""The lease: which engine may write, guarded by a fencing token that rises with every taking."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.errors import BusyError, LeaseLost
from dataspine.schemas.job import Lease
from dataspine.store.filesystem import make_private_directory

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

HEARTBEAT_S = 2.0
EXPIRY_S = 15.0
"""A lease whose engine has given no sign of life for so long may be taken over."""
LOCK_NAME = "_engine.lock"
"""No source is called so."""
_EXPIRY_US = round(EXPIRY_S * 1_000_000)


class EngineLock:
    """A file lock that the system frees the moment its engine dies, so that a successor need not wait."""

    def __init__(self, home: Path) -> None:
        self._path = home / "locks" / LOCK_NAME
        self._descriptor: int | None = None

    def try_lock(self) -> bool:
        """Take the lock if its holder is gone; whether it is ours now."""
        if self._descriptor is not None:
            return True
        make_private_directory(self._path.parent)
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._keep(descriptor)
        return True

    def replace(self) -> None:
        """Put a new lock, ours, in the place of one whose holder stands still but lives."""
        make_private_directory(self._path.parent)
        new = self._path.with_name(f"{LOCK_NAME}.{os.getpid()}")
        descriptor = os.open(new, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        new.replace(self._path)
        self._keep(descriptor)

    def unlock(self) -> None:
        """Give the lock back; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _keep(self, descriptor: int) -> None:
        self.unlock()
        self._descriptor = descriptor


def take(tx: Connection, lock: EngineLock, *, owner: str, now_us: int) -> Lease:
    """Take the lease if it is free, its engine is dead, or it has expired.

    Call it in a transaction, which also keeps two takers apart at the lock.
    Raises: BusyError if a living engine holds it.
    """
    before = read(tx)
    if not lock.try_lock():
        if before is not None and not is_expired(before, now_us=now_us):
            raise BusyError(
                "another engine runs in this workspace",
                found=before.owner,
                where=f"lease {before.token}",
                cure="Let it work, or stop it first; a dead one is replaced at once",
            )
        lock.replace()
    lease = Lease(before.token + 1 if before else 1, owner, now_us, now_us, now_us + _EXPIRY_US)
    tx.execute(
        "INSERT INTO lease (lease_id, token, owner, taken_at_us, heartbeat_us, expires_us) VALUES (1, ?, ?, ?, ?, ?)"
        " ON CONFLICT (lease_id) DO UPDATE SET token = excluded.token, owner = excluded.owner,"
        " taken_at_us = excluded.taken_at_us, heartbeat_us = excluded.heartbeat_us, expires_us = excluded.expires_us",
        (lease.token, lease.owner, lease.taken_at_us, lease.heartbeat_us, lease.expires_us),
    )
    return lease


def beat(tx: Connection, token: int, *, now_us: int) -> None:
    """Give a sign of life in the transaction at hand; without the lease the transaction must not commit.

    Raises: LeaseLost if another engine has taken over.
    """
    changed = tx.execute(
        "UPDATE lease SET heartbeat_us = ?, expires_us = ? WHERE token = ? AND owner <> ''",
        (now_us, now_us + _EXPIRY_US, token),
    )
    if changed.rowcount != 1:
        raise LeaseLost(
            "another engine has taken over",
            found=f"a lease newer than {token}",
            cure="Nothing was written since; start this one again when the other has stopped",
        )


def release(tx: Connection, token: int, *, now_us: int) -> None:
    """Give the lease back; whatever still runs under it is fenced off."""
    tx.execute(
        "UPDATE lease SET owner = '', heartbeat_us = ?, expires_us = ? WHERE token = ?",
        (now_us, now_us, token),
    )


def read(connection: Connection) -> Lease | None:
    """The lease as it stands; None where no engine ever ran."""
    row = connection.execute(
        "SELECT token, owner, taken_at_us, heartbeat_us, expires_us FROM lease WHERE lease_id = 1"
    ).fetchone()
    return None if row is None else Lease(*row)


def is_held(lease: Lease | None, *, now_us: int) -> bool:
    """Whether an engine holds it, or held it so lately that it may still live."""
    return lease is not None and bool(lease.owner) and not is_expired(lease, now_us=now_us)


def is_expired(lease: Lease, *, now_us: int) -> bool:
    """Whether it may be taken over; a heartbeat far in the future is one of a clock that was set back."""
    return now_us >= lease.expires_us or lease.heartbeat_us > now_us + _EXPIRY_US


def is_locked(home: Path) -> bool:
    """Whether a living process holds the engine's lock."""
    try:
        descriptor = os.open(home / "locks" / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
