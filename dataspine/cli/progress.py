"""A progress bar on the terminal's stderr, for ingests that take longer than a second."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from dataspine.clock import Clock, SystemClock
from dataspine.inert_text import inert_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from dataspine.pipeline.ingest import Progress

PATIENCE_S = 1.0
"""Shorter work shows no bar."""
_NAME_CHARS = 28


class IngestProgress:
    """Bytes done of the object at hand, with rate and time left; shows nothing unless the stream is a terminal."""

    def __init__(self, *, clock: Clock | None = None, stream: TextIO | None = None) -> None:
        self._clock = clock or SystemClock()
        self._stream = stream or sys.stderr
        self._started_s = self._clock.monotonic_s()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._object_name: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, object_name: str, progress: Progress) -> None:
        """Show how far the object is."""
        if not self._stream.isatty() or self._clock.monotonic_s() - self._started_s < PATIENCE_S:
            return
        if self._bar is None:
            self._bar = _new_bar(self._stream)
            self._bar.start()
        if self._task is None or object_name != self._object_name:
            self._begin(self._bar, object_name, progress)
        elif self._task is not None:
            self._bar.update(self._task, completed=progress.done_bytes, rows=f"{progress.rows_read:,}")

    def _begin(self, bar: Bar, object_name: str, progress: Progress) -> None:
        if self._task is not None:
            bar.remove_task(self._task)
        self._object_name = object_name
        self._task = bar.add_task(
            inert_text(object_name, limit=_NAME_CHARS),
            total=progress.total_bytes,
            completed=progress.done_bytes,
            rows=f"{progress.rows_read:,}",
        )


def _new_bar(stream: TextIO) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[rows]} rows", markup=False),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream, markup=False, emoji=False, highlight=False),
        transient=True,
    )
