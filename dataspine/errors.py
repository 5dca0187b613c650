"""The exception tree: failure of an attempt, never of a record.

DataspineError                what, found, where, cure; exit code; transient or not
├── ConfigError               exit 2  a file, key or environment value is wrong
├── RequestError              exit 2  the operator asked for something that cannot be
├── BusyError                 exit 3  a lock or a competing change; try again (transient)
│   └── LeaseLost                     another engine took over; nothing more may be written
├── SourceError               exit 4  a vendor could not be read
│   ├── SourceUnavailable             time-out, refused connection, 5xx (transient)
│   ├── SourceRefused                 4xx, missing file, forbidden redirect (permanent)
│   └── PayloadTooLarge               a stated limit was passed (permanent)
├── PayloadError              exit 1  the bytes are not the declared format; becomes a payload letter
└── StorageError              exit 5  the database or the archive failed
    ├── StorageFull                   no space left (transient: free space and go on)
    └── StorageCorrupt                not a database, damaged, or of a newer schema

A bad *record* is data (a dead letter), never an exception.
"""

from __future__ import annotations


class DataspineError(Exception):
    """Base of all our errors; `str()` reads as what, found, where, cure."""

    exit_code = 2
    transient = False

    def __init__(
        self, what: str, *, found: object = None, where: str | None = None, cure: str | None = None
    ) -> None:
        self.what = what
        self.found = found
        self.where = where
        self.cure = cure
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        parts = [self.what]
        if self.found is not None:
            parts.append(f", got {self.found}")
        if self.where:
            parts.append(f" ({self.where})")
        if self.cure:
            parts.append(f". {self.cure}")
        return "".join(parts)


class ConfigError(DataspineError):
    """A file, key or environment value is wrong."""


class RequestError(DataspineError):
    """The operator asked for something that cannot be."""


class BusyError(DataspineError):
    """Somebody else holds the lock, or changed the thing first."""

    exit_code = 3
    transient = True


class LeaseLost(BusyError):
    """Another engine has taken over, so this one may write nothing more."""


class SourceError(DataspineError):
    """A vendor could not be read."""

    exit_code = 4


class SourceUnavailable(SourceError):
    """Time-out, refused connection, 408, 425, 429 or 5xx."""

    transient = True
    retry_after_s: float | None = None
    """Seconds that the vendor asks to wait, where it says so."""


class SourceRefused(SourceError):
    """A permanent refusal: other 4xx, missing file, forbidden redirect."""


class PayloadTooLarge(SourceError):
    """A stated limit on bytes, pages or members was passed."""


class PayloadError(DataspineError):
    """The bytes are not what the source declares; the whole payload becomes one dead letter.

    `code` is the reason code of that letter (see docs/reference/contracts.md).
    """

    exit_code = 1

    def __init__(self, code: str, what: str, *, found: object = None, where: str | None = None) -> None:
        self.code = code
        super().__init__(what, found=found, where=where)


class StorageError(DataspineError):
    """The database or the payload archive failed."""

    exit_code = 5


class StorageFull(StorageError):
    """No space left on the device that holds the workspace."""

    transient = True


class StorageCorrupt(StorageError):
    """The file is not a database, is damaged, or was written by a newer version."""
