"""A body held until it is known to be whole: in memory while small, in an unnamed file when large."""

from __future__ import annotations

import errno
import tempfile
import weakref
from typing import TYPE_CHECKING

from dataspine.errors import StorageError, StorageFull
from dataspine.schemas.payload import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Spool:
    """Bytes written once and read any number of times; gone when nobody refers to them."""

    def __init__(self, blocks: Iterable[bytes], *, folder: Path | None) -> None:
        place = None if folder is None else str(folder)
        file = tempfile.SpooledTemporaryFile(max_size=BLOCK_BYTES, dir=place)  # noqa: SIM115 - see next line
        weakref.finalize(self, file.close)
        self._file = file
        self.size_bytes = 0
        for block in blocks:
            self._write(block, folder)
            self.size_bytes += len(block)

    def blocks(self) -> Iterator[bytes]:
        """The bytes from the start; several readers do not disturb each other."""
        position = 0
        while position < self.size_bytes:
            self._file.seek(position)
            block = self._file.read(BLOCK_BYTES)
            position += len(block)
            yield block

    def _write(self, block: bytes, folder: Path | None) -> None:
        try:
            self._file.write(block)
        except OSError as error:
            where = str(folder or tempfile.gettempdir())
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(
                    "no space to hold a response", where=where, cure="Free space there."
                ) from error
            raise StorageError("a response cannot be held", found=str(error), where=where) from error
