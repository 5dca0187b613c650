"""What is inside a payload: the bytes themselves, what a gzip stream holds, or the members of a zip.

The kind is read from the first bytes, never from the name. Everything is streamed in blocks; what an archive
may inflate to is limited both in bytes and in proportion to what was received.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from dataspine.errors import PayloadError
from dataspine.schemas.payload import BLOCK_BYTES, MAX_INFLATED_BYTES, MAX_INFLATION_RATIO, Document

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

ZIP_DIRECTORY_BYTES_MAX = 8 * 1024**2
"""Bytes of a zip's directory, about 100,000 members; it is held in memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_FEED_BYTES = 64 * 1024
"""Compressed bytes given to zlib at once: bounds one step's output, and the cost of many tiny members."""
_ZIP_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ZIP_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class InflationLimits:
    """How far a payload may inflate."""

    max_bytes: int = MAX_INFLATED_BYTES
    max_ratio: int = MAX_INFLATION_RATIO
    ratio_from_bytes: int = 64 * 1024**2
    """Inflated bytes from which the ratio is judged; small texts of blanks compress beyond any ratio."""


DEFAULT_LIMITS = InflationLimits()


class InflationMeter:
    """Counts what was received and what it inflated to, over all members of a payload."""

    def __init__(self, limits: InflationLimits, *, received_bytes: int = 0) -> None:
        self._limits = limits
        self._received_bytes = received_bytes
        self._inflated_bytes = 0

    def receive(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes in small pieces, counted as they are asked for."""
        for piece in _pieces(blocks):
            self._received_bytes += len(piece)
            yield piece

    def inflate(self, size_bytes: int) -> None:
        """Count inflated bytes.

        Raises: PayloadError SIZE past a limit.
        """
        self._inflated_bytes += size_bytes
        limits = self._limits
        if self._inflated_bytes > limits.max_bytes:
            raise PayloadError(
                "SIZE",
                f"payload must not exceed {limits.max_bytes} bytes",
                found=f"{self._inflated_bytes} or more",
            )
        if self._inflated_bytes < limits.ratio_from_bytes:
            return
        if self._inflated_bytes > limits.max_ratio * self._received_bytes:
            raise PayloadError(
                "SIZE",
                f"payload must not inflate more than {limits.max_ratio} times",
                found=f"{self._inflated_bytes} bytes out of {self._received_bytes}",
            )


def documents(
    content: BinaryIO, *, object_name: str, member_glob: str = "*", limits: InflationLimits = DEFAULT_LIMITS
) -> Iterator[Document]:
    """The documents of a payload in a fixed order; each is read once, while `content` is open.

    A zip gives the members whose name, with or without `.gz`, matches `member_glob`, in name order; hidden
    members and those of `__MACOSX/` are left alone. An empty payload is one document without blocks.

    Raises: PayloadError GZIP_CORRUPT, ZIP_CORRUPT, ZIP_EMPTY or SIZE, here or while a document is read.
    """
    content.seek(0)
    magic = content.read(4)
    content.seek(0)
    if magic.startswith(_ZIP_MAGICS):
        yield from _zip_documents(content, member_glob=member_glob, limits=limits)
        return
    blocks = _plain_blocks(content)
    if magic.startswith(_GZIP_MAGIC):
        meter = InflationMeter(limits)
        blocks = _grouped(inflated(meter.receive(blocks), meter))
    yield Document(name=_without_gz(_file_part(object_name)), blocks=blocks)


def inflated(pieces: Iterable[bytes], meter: InflationMeter) -> Iterator[bytes]:
    """What the members of a gzip stream hold; no input at all gives none.

    Raises: PayloadError GZIP_CORRUPT if the stream is damaged or ends before its trailer.
    """
    member: zlib._Decompress | None = None
    for piece in pieces:
        pending = _unpadded(piece) if member is not None and member.eof else piece
        while pending is not None:
            if member is None or member.eof:
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            block = _step(member, pending)
            meter.inflate(len(block))
            if block:
                yield block
            pending = _unread(member)
    if member is not None and not member.eof:
        raise PayloadError("GZIP_CORRUPT", "gzip stream must end with its trailer", found="an end before it")


def _step(member: zlib._Decompress, pending: bytes) -> bytes:
    try:
        return member.decompress(pending, BLOCK_BYTES)
    except zlib.error as error:
        raise PayloadError("GZIP_CORRUPT", "gzip stream must be whole", found=str(error)) from error


def _unread(member: zlib._Decompress) -> bytes | None:
    """Input still to be given to zlib, or None when it wants the next piece.

    Output left inside zlib needs no more asking: its trailer cannot have been read, so more input is due anyway.
    """
    return _unpadded(member.unused_data) if member.eof else member.unconsumed_tail or None


def _unpadded(between: bytes) -> bytes | None:
    """Bytes after a member without the zeros that pad it to a block of a tape or disk; None for nothing."""
    return between.lstrip(b"\0") or None


def _plain_blocks(content: BinaryIO) -> Iterator[bytes]:
    while block := content.read(BLOCK_BYTES):
        yield block


def _grouped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of BLOCK_BYTES or a little more."""
    group: list[bytes] = []
    size_bytes = 0
    for piece in pieces:
        group.append(piece)
        size_bytes += len(piece)
        if size_bytes >= BLOCK_BYTES:
            yield b"".join(group)
            group, size_bytes = [], 0
    if group:
        yield b"".join(group)


class _BoundedReads:
    """A zip's file of which no read is large: zipfile reads the directory, of any stated size, in one."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self.seek, self.tell, self.seekable = content.seek, content.tell, content.seekable

    def read(self, size_bytes: int = -1) -> bytes:
        if size_bytes > ZIP_DIRECTORY_BYTES_MAX:
            limit = f"zip directory must not exceed {ZIP_DIRECTORY_BYTES_MAX} bytes"
            raise PayloadError("SIZE", limit, found=f"{size_bytes} bytes")
        return self._content.read(size_bytes)


def _zip_documents(content: BinaryIO, *, member_glob: str, limits: InflationLimits) -> Iterator[Document]:
    received_bytes = content.seek(0, 2)
    meter = InflationMeter(limits, received_bytes=received_bytes)
    with _zip_faults("directory"):
        archive = zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(content)))
    members = sorted(
        (info for info in archive.infolist() if _is_wanted(info, member_glob)),
        key=lambda info: (info.filename, info.header_offset),
    )
    if not members:
        raise PayloadError(
            "ZIP_EMPTY",
            f"a member must match {member_glob!r}",
            found=f"{len(archive.infolist())} members, none does",
        )
    for info in members:
        blocks = _unwrapped(_member_blocks(archive, info, meter), meter)
        yield Document(name=_without_gz(info.filename), blocks=blocks)


def _is_wanted(info: zipfile.ZipInfo, member_glob: str) -> bool:
    name = info.filename
    # ZipInfo.is_dir fails on a member without a name.
    if name.endswith("/") or name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("."):
        return False
    return fnmatchcase(name, member_glob) or fnmatchcase(_without_gz(name), member_glob)


def _member_blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: InflationMeter) -> Iterator[bytes]:
    where = ascii(info.filename[:200])
    if info.flag_bits & _ZIP_ENCRYPTED:
        raise PayloadError("ZIP_CORRUPT", "zip member must not be encrypted", where=where)
    if info.compress_type not in _ZIP_METHODS:
        # Other methods can ask for gigabytes of dictionary before the first byte.
        method = f"method {info.compress_type}"
        raise PayloadError("ZIP_CORRUPT", "zip member must be stored or deflated", found=method, where=where)
    with _zip_faults(where), archive.open(info) as member:
        while block := member.read(BLOCK_BYTES):
            meter.inflate(len(block))
            yield block


def _unwrapped(blocks: Iterator[bytes], meter: InflationMeter) -> Iterator[bytes]:
    """A member's bytes, inflated once more if it is a gzip file itself."""
    first = next(blocks, b"")
    whole: Iterator[bytes] = chain((first,), blocks) if first else blocks
    if first.startswith(_GZIP_MAGIC):
        whole = _grouped(inflated(_pieces(whole), meter))
    yield from whole


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in the small pieces that zlib is fed with."""
    for block in blocks:
        for start in range(0, len(block), _FEED_BYTES):
            yield block[start : start + _FEED_BYTES]


@contextmanager
def _zip_faults(where: str) -> Generator[None, None, None]:
    """Turn what a damaged zip makes zipfile raise into one PayloadError; errors of the disk pass."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        ValueError,
        RuntimeError,
        OSError,
    ) as error:
        # A damaged offset shows as EINVAL of a seek; any other error number is the disk's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise PayloadError(
            "ZIP_CORRUPT", "zip must be whole", found=ascii(str(error)[:200]), where=where
        ) from error


def _file_part(object_name: str) -> str:
    """A URL's last path component; a file's name as it is."""
    if "://" not in object_name:
        return object_name
    return urlsplit(object_name).path.rsplit("/", 1)[-1] or object_name


def _without_gz(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name
