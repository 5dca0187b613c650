"""Runs of JSON records to text columns: a compiled decoder for what is plain, the exact reader for what is not.

What is plain, `json_plan` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from dataspine.adapters.json_exact import ExactReader, Verdict
from dataspine.adapters.json_plan import Column, compile_plan
from dataspine.adapters.json_scan import elements_of, prove_array
from dataspine.schemas.payload import MAX_FIELD_CHARS, MAX_RECORD_BYTES, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EXACT_RECORDS = 16
"""So few records are read exactly if one of them is not plain."""
_GROUPS = 8
"""More are divided into this many groups, so that one bad record slows down its neighbours only."""


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring records as columns; a chunk is made of parts."""

    first: int
    """Position of the first record."""
    count: int
    """Records, readable or not."""
    frame: pl.DataFrame
    faults: tuple[Fault, ...]
    broken: frozenset[int]
    origin: int
    """Position of the first of `raws()`."""
    raws: Callable[[], Sequence[bytes]]
    """Bytes of the records; costs only when called."""
    size_bytes: int
    keys: Sequence[str] = ()
    """Keys of the records in a map of symbols, from `origin` on."""
    blank_lines: int = 0

    def split(self, count: int) -> tuple[Part, Part]:
        """The first `count` records, and the others."""
        middle = self.first + count
        broken = frozenset(position for position in self.broken if position < middle)
        rows = count - len(broken)
        head = replace(
            self,
            count=count,
            frame=self.frame[:rows],
            faults=tuple(fault for fault in self.faults if fault.position < middle),
            broken=broken,
        )
        tail = replace(
            self,
            first=middle,
            count=self.count - count,
            frame=self.frame[rows:],
            faults=self.faults[len(head.faults) :],
            broken=self.broken - broken,
            size_bytes=0,
            blank_lines=0,
        )
        return head, tail


class RecordColumns:
    """Reads records at some paths; compiled once a document."""

    def __init__(self, paths: Sequence[str], *, text_paths: frozenset[str], unwrap: str | None) -> None:
        self._paths = tuple(paths)
        self._exact = ExactReader(paths, text_paths=text_paths, unwrap=unwrap)
        self._plan = compile_plan(self._paths, text_paths, unwrap)

    def decode(self, piece: bytes) -> list[Any] | None:
        """Decoded records of a JSON array; None if they have to be read one by one.

        Raises: msgspec.DecodeError if `piece` is no JSON array.
        """
        if self._plan is not None:
            try:
                return self._plan.run_decoder.decode(piece)
            except (msgspec.ValidationError, UnicodeDecodeError):
                pass
        prove_array(piece)
        return None

    def decode_lines(self, lines: Sequence[bytes]) -> list[Any] | None:
        """Decoded records, one a line; None if they have to be read one by one."""
        if self._plan is None:
            return None
        try:
            return list(map(self._plan.decoder.decode, lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def part_of_run(self, piece: bytes, decoded: list[Any] | None, *, first: int) -> Part:
        """Columns of a JSON array of records, which `decode` or `decode_lines` has read."""
        columns = None
        if decoded is not None and self._plan is not None:
            columns = self._plan.columns(decoded, piece)
        series = None if columns is None else _series_of_run(self._paths, columns)
        if decoded is None or series is None:
            return self.part_of_records(elements_of(piece), first=first)
        position = pl.int_range(first, first + len(decoded), eager=True).alias("position")
        return Part(
            first=first,
            count=len(decoded),
            frame=pl.DataFrame([position, *series]),
            faults=(),
            broken=frozenset(),
            origin=first,
            raws=lambda: elements_of(piece),
            size_bytes=len(piece),
        )

    def part_of_records(self, raws: Sequence[bytes], *, first: int, keys: Sequence[str] = ()) -> Part:
        """Columns of records whose bytes are known one by one, sound or not."""
        rows: list[tuple[str | None, ...]] = []
        positions: list[int] = []
        faults: list[Fault] = []
        for position, verdict in enumerate(self._verdicts(raws), start=first):
            faults += [Fault(position, *complaint) for complaint in verdict.complaints]
            if verdict.values is not None:
                positions.append(position)
                rows.append(verdict.values)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self._paths)
        series = [
            pl.Series(path, texts, dtype=pl.String) for path, texts in zip(self._paths, columns, strict=True)
        ]
        return Part(
            first=first,
            count=len(raws),
            frame=pl.DataFrame([pl.Series("position", positions, dtype=pl.Int64), *series]),
            faults=tuple(faults),
            broken=frozenset(range(first, first + len(raws))).difference(positions),
            origin=first,
            raws=lambda: raws,
            size_bytes=sum(map(len, raws)),
            keys=keys,
        )

    def _verdicts(self, raws: Sequence[bytes]) -> list[Verdict]:
        """Each record judged, together with its neighbours as long as all of them are plain."""
        verdicts = self._plain_verdicts(raws)
        if verdicts is not None:
            return verdicts
        if len(raws) <= _EXACT_RECORDS:
            return list(map(self._exact.read, raws))
        step = -(-len(raws) // _GROUPS)
        groups = (raws[start : start + step] for start in range(0, len(raws), step))
        return [verdict for group in groups for verdict in self._verdicts(group)]

    def _plain_verdicts(self, raws: Sequence[bytes]) -> list[Verdict] | None:
        """Texts of the records; None if one of them is not plain."""
        if self._plan is None or max(map(len, raws), default=0) > MAX_RECORD_BYTES:
            return None
        decoded = self.decode_lines(raws)
        columns = None if decoded is None else self._plan.columns(decoded, array_of(raws))
        if columns is None:
            return None
        texts = [[value if value is None else str(value) for value in column.values] for column in columns]
        if any(len(text) > MAX_FIELD_CHARS for column in texts for text in column if text is not None):
            return None
        rows = zip(*texts, strict=True) if texts else [()] * len(raws)
        return [Verdict(row, ()) for row in rows]


def array_of(raws: Sequence[bytes]) -> bytes:
    """Records, each of them sound, as one JSON array."""
    return b"[" + b",".join(raws) + b"]"


def _series_of_run(paths: Sequence[str], columns: list[Column]) -> list[pl.Series] | None:
    """Text columns; None if a text may be too long."""
    series = [_text_series(path, column) for path, column in zip(paths, columns, strict=True)]
    if not series:
        return series
    lengths = pl.DataFrame(series).select(pl.all().str.len_bytes().max()).row(0)
    is_too_long = any(isinstance(length, int) and length > MAX_FIELD_CHARS for length in lengths)
    return None if is_too_long else series


def _text_series(path: str, column: Column) -> pl.Series:
    values = column.values
    if column.types == {type(None)}:
        return pl.repeat(None, len(values), dtype=pl.String, eager=True).alias(path)
    if int not in column.types:
        return pl.Series(path, values, dtype=pl.String)
    if str not in column.types:
        try:
            return pl.Series(path, values, dtype=pl.Int64).cast(pl.String)
        except (TypeError, OverflowError):
            # Beyond 64 bits; Python's integers have no end.
            pass
    return pl.Series(path, [value if value is None else str(value) for value in values], dtype=pl.String)
