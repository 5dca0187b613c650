"""Exports of stored records: CSV, JSON lines or Parquet, in canonical order, the same bytes for the same content.

CSV and JSON lines are streamed in pages. Parquet is put together from pages on disk, so its memory stays flat too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from dataspine.errors import RequestError
from dataspine.inert_text import FORMULA_PATTERN, PLAIN_NUMBER_PATTERN
from dataspine.service.records import RecordQuery, frames
from dataspine.store import records
from dataspine.store.database import named_errors

if TYPE_CHECKING:
    import polars as pl

    from dataspine.service.desk import Desk

ROW_GROUP_ROWS = 100_000
_WORKSPACE_FILES = ("dataspine.db", "dataspine.toml", "audit-anchors.jsonl", ".env")
_WORKSPACE_FOLDERS = ("payloads", "locks")


class ExportFormat(StrEnum):
    """Forms that records leave in."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def write_records(
    desk: Desk,
    query: RecordQuery,
    target: BinaryIO,
    *,
    export_format: ExportFormat = ExportFormat.CSV,
    is_raw: bool = False,
) -> int:
    """Write the rows of a query to an open file, page by page; the number of rows.

    `is_raw` leaves cells of a CSV as they are, also where a spreadsheet would run them.
    Raises: RequestError if the source or symbol is not known, or the format needs a file; StorageError.
    """
    if export_format is ExportFormat.PARQUET:
        raise RequestError("Parquet cannot be written to a stream", cure="Name a file with --out")
    count = 0
    for frame in _export_frames(desk, query):
        if export_format is ExportFormat.JSONL:
            frame.write_ndjson(target)
        else:
            cells = frame if is_raw else _formula_safe(frame)
            cells.write_csv(target, include_header=count == 0)
        count += frame.height
    return count


def save_records(
    desk: Desk,
    query: RecordQuery,
    path: Path,
    *,
    export_format: ExportFormat = ExportFormat.CSV,
    is_raw: bool = False,
) -> int:
    """Write the rows of a query to a file that appears whole or not at all, readable by its owner only.

    A regular file of that name is replaced. Raises: as `write_records`; RequestError if the place is no good.
    """
    _refuse_place(desk.home, path)
    with _whole_file(path) as part:
        if export_format is ExportFormat.PARQUET:
            return _save_parquet(desk, query, part)
        with part.open("wb") as target:
            return write_records(desk, query, target, export_format=export_format, is_raw=is_raw)


def _export_frames(desk: Desk, query: RecordQuery) -> Iterator[pl.DataFrame]:
    """Frames as they leave: the source first, times as ISO 8601 text, whole volumes as integers; at least one frame."""
    import polars as pl

    from dataspine.pipeline.canonical import CANONICAL
    from dataspine.schemas.source import Kind

    # What Python's ISO form does: microseconds only where they are not zero.
    instant = pl.from_epoch("timestamp", time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    changes = {"timestamp": instant.str.replace(".000000Z", "Z", literal=True)}
    with desk.reading() as database:
        state = records.snapshot(database, query)
        if state.kind == "market" and not records.has_decimal_volumes(database, state):
            changes["volume"] = pl.col("volume").cast(pl.Int64)
        is_empty = True
        for frame in frames(database, state, query):
            yield frame.select(source=pl.lit(query.source), **_columns(frame, changes))
            is_empty = False
        if is_empty:
            frame = CANONICAL[Kind(state.kind)].empty().drop("position", "source_symbol")
            yield frame.select(
                source=pl.lit(query.source, dtype=pl.String).first(), **_columns(frame, changes)
            )


def _columns(frame: pl.DataFrame, changes: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    import polars as pl

    return {name: changes.get(name, pl.col(name)) for name in frame.columns}


def _formula_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet would run; as `csv_safe_cell`, by columns."""
    import polars as pl

    text = pl.col(pl.String)
    is_formula = text.str.contains(FORMULA_PATTERN) & ~text.str.contains(PLAIN_NUMBER_PATTERN)
    return frame.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep())


def _save_parquet(desk: Desk, query: RecordQuery, part: Path) -> int:
    """Pages to disk first, then one file of them: rows as exported, `timestamp` as an instant in UTC."""
    import polars as pl

    count = 0
    with TemporaryDirectory(dir=part.parent, prefix=".export-") as folder:
        for number, frame in enumerate(_export_frames(desk, query)):
            instant = pl.col("timestamp").str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC"
            )
            frame.with_columns(instant).write_ipc(Path(folder) / f"{number:06}.arrow")
            count += frame.height
        pages = sorted(Path(folder).iterdir())
        pl.scan_ipc(pages).sink_parquet(
            part, compression="zstd", row_group_size=ROW_GROUP_ROWS, maintain_order=True
        )
    return count


def _refuse_place(home: Path, path: Path) -> None:
    """Refuse what an export must never replace: the workspace's own files, and anything but a regular file."""
    place = path.resolve()
    root = home.resolve()
    own = [root / name for name in (*_WORKSPACE_FILES, *_WORKSPACE_FOLDERS)]
    if any(place == kept or kept in place.parents for kept in own) or place.name.startswith("dataspine.db"):
        raise RequestError("an export may not replace the workspace's own files", where=str(path))
    if place.exists() and not place.is_file():
        raise RequestError(
            "an export needs a file", where=str(path), cure="Name a file in an existing folder"
        )
    if not place.parent.is_dir():
        raise RequestError("the folder does not exist", where=str(place.parent), cure="Make it first")


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """A part file beside `path` that takes its place when all went well, and is gone when not."""
    place = path.resolve()
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    with named_errors(place):
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
