"""A file that is appended to all day: the lines that are whole and new, as a payload of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from dataspine.errors import ConfigError

if TYPE_CHECKING:
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.taken import TakenObject

LINE_END = b"\n"


@dataclass(frozen=True, slots=True)
class Part:
    """What is new in a growing file."""

    content: bytes
    """The header and the new lines, as if they were a file of their own."""
    start_bytes: int
    end_bytes: int
    """Behind the last whole line; what follows is torn and waits."""
    sha256: str
    """Of the file from its beginning to `end_bytes`."""


def require_growing(profile: SourceProfile) -> None:
    """Refuse a source whose file cannot be cut at a line.

    Raises: ConfigError.
    """
    if profile.format == "json" or profile.encoding == "utf-16":
        raise ConfigError(
            'take = "grow" needs lines of single-byte line ends',
            found=f"{profile.format}, {profile.encoding}",
            where=f"sources.{profile.name}.take",
            cure='Use format = "csv" or "ndjson" in UTF-8, or take = "complete"',
        )


def new_part(content: bytes, profile: SourceProfile, before: TakenObject | None) -> Part | None:
    """The lines that were appended since `before`; None if there is none that is whole.

    A file that no longer begins with what was read of it is a new one, and is read from its beginning.
    """
    header_bytes = _header_bytes(content, profile)
    if header_bytes is None:
        return None
    start = max(header_bytes, _known_bytes(content, before))
    end = start + _whole_bytes(content[start:], profile)
    if end == start:
        return None
    digest = sha256(memoryview(content)[:end]).hexdigest()
    return Part(content[:header_bytes] + content[start:end], start, end, digest)


def blocks_of(part: Part) -> Iterator[bytes]:
    """The part as a payload's bytes."""
    yield part.content


def _known_bytes(content: bytes, before: TakenObject | None) -> int:
    if before is None or before.offset_bytes > len(content):
        return 0
    is_same = sha256(memoryview(content)[: before.offset_bytes]).hexdigest() == before.sha256
    return before.offset_bytes if is_same else 0


def _header_bytes(content: bytes, profile: SourceProfile) -> int | None:
    """Length of the header line and the preamble before it; None while they are not whole."""
    if profile.format != "csv" or not profile.csv.header:
        return 0
    match = (profile.csv.header_match or "").encode(profile.encoding)
    end = 0
    for line in content.splitlines(keepends=True):
        end += len(line)
        if not line.endswith(LINE_END):
            return None
        if line.removeprefix(b"\xef\xbb\xbf").startswith(match):
            return end
    return None


def _whole_bytes(content: bytes, profile: SourceProfile) -> int:
    """Length of the whole lines at the beginning; a line end within quotes ends no record."""
    quote = profile.csv.quote.encode() if profile.format == "csv" else b""
    end = content.rfind(LINE_END) + 1
    while quote and end and content.count(quote, 0, end) % 2:
        end = content.rfind(LINE_END, 0, end - 1) + 1
    return end
