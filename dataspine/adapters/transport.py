"""Vendor bytes' one door: objects from a file, a folder, a URL or a recording, in bounded memory."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from dataspine.clock import iso_from_us
from dataspine.errors import ConfigError, PayloadTooLarge, SourceRefused, SourceUnavailable
from dataspine.schemas.payload import BLOCK_BYTES, MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from dataspine.schemas.source import SourceProfile

_GLOB_CHARACTERS = frozenset("*?[")
_UNFINISHED_SUFFIXES = frozenset({".tmp", ".part"})
_DROP_CURE = "Let the writer write NAME.part and rename it when it is complete."


@dataclass(frozen=True, slots=True)
class Fetched:
    """One object of a source."""

    object_name: str
    """Path below the root, or URL without secrets."""
    open: Callable[[], Iterator[bytes]]
    """Starts reading the object's bytes, in blocks; may be called again."""
    received: dict[str, str] = field(default_factory=dict)
    """What came with the bytes, where it is known: `status`, `etag`, `last_modified`."""
    size_bytes: int | None = None
    """Of a file, when it was looked at."""


class Transport(Protocol):
    """Where a source's bytes come from."""

    def fetch(self) -> Iterator[Fetched]:
        """The objects that are there now, in a fixed order; none is a result, not an error.

        Raises: SourceError, here, between objects or while one is read; the attempt has then failed, and what
            was read of the object at hand is not whole.
        """
        ...


class RecordedTransport:
    """Objects given as bytes."""

    def __init__(self, objects: Sequence[tuple[str, bytes]]) -> None:
        self._objects = tuple(objects)

    def fetch(self) -> Iterator[Fetched]:
        for name, content in self._objects:
            yield Fetched(name, partial(_recorded_blocks, content))


class FileTransport:
    """One regular file under a root that it cannot leave, not even by a symbolic link."""

    def __init__(self, path: str, *, root: Path, may_grow: bool = False) -> None:
        self._path = path
        self._root = root
        self._may_grow = may_grow

    def fetch(self) -> Iterator[Fetched]:
        yield _fetched_file(self._path, root=self._root, may_grow=self._may_grow)


class DirectoryTransport:
    """Every file that matches a glob under a root, by name; hidden and unfinished files are left alone."""

    def __init__(self, pattern: str, *, root: Path, may_grow: bool = False) -> None:
        self._pattern = pattern
        self._root = root
        self._may_grow = may_grow

    def fetch(self) -> Iterator[Fetched]:
        """As promised by Transport; a file that must be refused is reported after the others were given."""
        refusals: list[SourceRefused] = []
        for name in self._names():
            try:
                fetched = _fetched_file(name, root=self._root, may_grow=self._may_grow)
            except SourceRefused as error:
                refusals.append(error)
            else:
                yield fetched
        if refusals:
            raise refusals[0]

    def _names(self) -> list[str]:
        """Paths below the root that match, sorted."""
        folder = self._root / _fixed_folder(self._pattern)
        _inside(_fixed_folder(self._pattern), root=self._root)
        with _source_errors(str(folder)):
            # Path.glob takes a folder that is missing or may not be listed for an empty one.
            os.scandir(folder).close()
            found = [path for path in self._root.glob(self._pattern) if not path.is_dir()]
        wanted = [path for path in found if not _is_left_alone(path.relative_to(folder))]
        return sorted(path.relative_to(self._root).as_posix() for path in wanted)


def _recorded_blocks(content: bytes) -> Iterator[bytes]:
    if content:
        yield content


def transport_for(
    profile: SourceProfile,
    *,
    root: Path,
    secrets: Callable[[str], str],
    admit: Callable[[], None] | None = None,
) -> Transport:
    """The transport of a source: `path` below `root` (the workspace) or absolute, or `url`.

    An absolute path has its own folder as root. `secrets` gives the value of `env:NAME` or `file:PATH`; `admit` is
    called before every request and returns when the vendor takes one.

    Raises: ConfigError unless exactly one of `path` and `url` is set.
    """
    if (profile.path is None) == (profile.url is None):
        raise ConfigError(
            "a source is read from either a path or a url",
            found="both" if profile.path else "neither",
            where=f"sources.{profile.name}",
            cure="Set one of them.",
        )
    if profile.url is not None:
        from dataspine.adapters.http import HttpPolicy, HttpTransport

        policy = HttpPolicy(spool_dir=root, admit=admit)
        return HttpTransport(profile.url, settings=profile.http, secrets=secrets, policy=policy)
    return _file_transport(str(profile.path), root=root, may_grow=profile.take == "grow")


def _file_transport(path: str, *, root: Path, may_grow: bool) -> Transport:
    is_glob = not _GLOB_CHARACTERS.isdisjoint(path)
    if PurePath(path).is_absolute():
        root = Path(_fixed_folder(path)) if is_glob else Path(path).parent
        path = str(PurePath(path).relative_to(root))
    return (DirectoryTransport if is_glob else FileTransport)(path, root=root, may_grow=may_grow)


def _fixed_folder(pattern: str) -> str:
    """The part of a glob before its first component with a wildcard."""
    parts = PurePath(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if not _GLOB_CHARACTERS.isdisjoint(part)), len(parts) - 1)
    return str(PurePath(*parts[:fixed]))


def _is_left_alone(path: PurePath) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.suffix in _UNFINISHED_SUFFIXES


def _fetched_file(path: str, *, root: Path, may_grow: bool) -> Fetched:
    """The file's name, time and a way to read it, once it is known to be a regular file inside the root."""
    resolved = _inside(path, root=root)
    with _source_errors(str(root / path)):
        status = resolved.stat()
    _require_regular(status, where=str(root / path))
    return Fetched(
        PurePath(path).as_posix(),
        partial(_growing_blocks if may_grow else _file_blocks, resolved),
        {"last_modified": iso_from_us(status.st_mtime_ns // 1000)},
        status.st_size,
    )


def _inside(path: str, *, root: Path) -> Path:
    """The real path of `path`, which must lie below the real root.

    Raises: SourceRefused if it leaves the root or is not there.
    """
    where = str(root / path)
    with _source_errors(where):
        real_root = root.resolve(strict=True)
        real = (root / path).resolve(strict=True)
    if ".." in PurePath(path).parts or not real.is_relative_to(real_root):
        raise SourceRefused(
            "a source's file must lie below its folder",
            found=str(real),
            where=where,
            cure="Move the file there, or name its own folder by an absolute path.",
        )
    return real


def _require_regular(status: os.stat_result, *, where: str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        cure = "Name files by a glob, such as drop/*.csv."
        raise SourceRefused("a source must be a file", found="a directory", where=where, cure=cure)
    cure = "Write the data to a file."
    raise SourceRefused(
        "a source must be a regular file", found="a pipe, socket or device", where=where, cure=cure
    )


def _require_small(size_bytes: int, *, where: str) -> None:
    if size_bytes > MAX_PAYLOAD_BYTES:
        limit = f"a payload has at most {MAX_PAYLOAD_BYTES} bytes"
        raise PayloadTooLarge(limit, found=size_bytes, where=where, cure="Split the file.")


def _file_blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes; a file that changes meanwhile, or is too large, ends in an error."""
    where = str(path)
    with _source_errors(where), _opened(path) as file:
        before = os.fstat(file.fileno())
        _require_regular(before, where=where)
        _require_small(before.st_size, where=where)
        while block := file.read(BLOCK_BYTES):
            yield block
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        found = f"{before.st_size} bytes before and {after.st_size} after"
        raise SourceUnavailable("file changed while it was read", found=found, where=where, cure=_DROP_CURE)


def _growing_blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes up to its size of now; what is appended meanwhile waits."""
    where = str(path)
    with _source_errors(where), _opened(path) as file:
        status = os.fstat(file.fileno())
        _require_regular(status, where=where)
        _require_small(status.st_size, where=where)
        left = status.st_size
        while left and (block := file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block


def _opened(path: Path) -> BinaryIO:
    # Without O_NONBLOCK the open itself waits for ever if a pipe took the file's place after it was looked at.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    return os.fdopen(descriptor, "rb", buffering=0)


@contextmanager
def _source_errors(where: str) -> Generator[None, None, None]:
    """Turn what the file system says into a source's error."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        cure = "Check the path, and that the folder is mounted."
        raise SourceRefused("there is no such file or folder", where=where, cure=cure) from error
    except PermissionError as error:
        cure = "Give this user the right to read it."
        raise SourceRefused("file or folder may not be read", where=where, cure=cure) from error
    except ValueError as error:
        cure = "Correct the path."
        raise SourceRefused("this is no path", found=str(error), where=ascii(where), cure=cure) from error
    except (OSError, RuntimeError) as error:
        # RuntimeError is how Path.resolve reports a loop of symbolic links.
        raise SourceUnavailable("file or folder cannot be read", found=str(error), where=where) from error
