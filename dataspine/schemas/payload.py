"""A payload: bytes as a vendor sent them, and the chunks of text columns that a reader makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# Limits, all documented in docs/reference/limits.md.
MAX_PAYLOAD_BYTES = 8 * 1024**3
"""Bytes of one payload as received."""
MAX_INFLATED_BYTES = 16 * 1024**3
"""Bytes of one payload after decompression."""
MAX_INFLATION_RATIO = 1_000
"""Inflated over received bytes, judged once 64 MiB are inflated; a gzip bomb is about 1030."""
MAX_DOCUMENT_BYTES = 256 * 1024**2
"""Bytes of a JSON document that must be held whole: an object, a map of symbols, an envelope."""
MAX_RECORD_BYTES = 1024**2
"""Bytes of one record."""
MAX_FIELD_CHARS = 4_096
"""Characters of one mapped field."""
MAX_DEPTH = 64
"""Nesting of a JSON document."""
MAX_COLUMNS = 1_024
"""Columns of a delimited file."""
MAX_RECORDS = 100_000_000
"""Records of one payload."""
CHUNK_RECORDS = 32_768
"""Records that are judged and committed together."""
BLOCK_BYTES = 4 * 1024**2
"""Bytes that are read together."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What the archive knows of one fetched object."""

    sha256: str
    size_bytes: int
    object_name: str
    """File name or URL, without secrets."""
    received_at_us: int
    payload_id: int | None = None
    """Its number in the store, once it has one."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text document of a payload: the payload itself inflated, or one member of a zip."""

    name: str
    """File or member name, without compression suffix; `file_name` templates read it."""
    blocks: Iterable[bytes]
    """Inflated bytes in order, any sizes; read once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the form of one record or one of its fields."""

    position: int
    code: str
    field: str
    """Wire path, or empty for the record."""
    message: str
    """What was expected and found, without the code."""


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Consecutive records as text, in payload order.

    `frame` has `position` (Int64, ordinal in the document from 1) and one String column per wire path asked for
    (null where absent). Records that could not be read stand in `faults` and not in `frame`; records of which single
    fields have a wrong JSON type stand in both. Every record of the payload is in `frame` or is a broken one.
    """

    frame: pl.DataFrame
    faults: Sequence[Fault]
    """In position order."""
    broken: frozenset[int]
    """Positions that have no row in `frame`."""
    raw: Callable[[Sequence[int]], list[bytes]]
    """Bytes of the records at these positions, as received; costs only when called."""
    context: dict[str, str] = field(default_factory=dict)
    """What a record's bytes need to be read alone, e.g. `{"header": "a,b,c"}`."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Lines that are no records, by rule."""
    keys: Callable[[Sequence[int]], list[str]] | None = None
    """For a map of symbols: the key of each record at these positions."""

    @property
    def records(self) -> int:
        """Records in this chunk, readable or not."""
        return self.frame.height + len(self.broken)


RecordReader = Callable[[Document], Iterator[RawChunk]]
