"""Status as a document and as text of 80 columns, without Rich: this command is asked for most, and starts lightest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataspine.clock import iso_from_us
from dataspine.inert_text import CUT, inert_text

if TYPE_CHECKING:
    from dataspine.service.status import SourceStatus, Status

COUNTERS = ("rows_stored", "rows_read", "rejected", "open_letters", "runs")
HEADER = ("source", "state", "last run", "stored", "read", "ok", "open", "runs")
LEGEND = "Newest right: . good  o some rejected  X refused whole  ! interrupted  > running"
EMPTY = "Nothing was ingested yet. `dataspine ingest --all` reads every configured source."
_RIGHT = frozenset({"stored", "read", "ok", "open"})
_NAME_CHARS_MIN = 8
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"))


def status_document(status: Status) -> dict[str, object]:
    """The JSON form."""
    return {
        "at": iso_from_us(status.at_us),
        "sources": [
            {
                "source": source.source,
                "kind": source.kind,
                "state": source.state,
                "last_run_id": source.last_run_id,
                "last_run_at": iso_from_us(source.last_run_at_us),
                **{name: getattr(source, name) for name in COUNTERS},
                "ok_pct": source.ok_pct,
                "recent": source.recent,
            }
            for source in status.sources
        ],
        "total": {**{name: status.total(name) for name in COUNTERS}, "ok_pct": status.ok_pct},
    }


def status_text(status: Status, *, width: int) -> str:
    """The form for people; counters are shortened and names cut where they would not fit."""
    if not status.sources:
        return EMPTY
    rows = [HEADER, *_rows(status, is_short=False)]
    if sum(_widths(rows)) + len(HEADER) - 1 > width:
        rows = [HEADER, *_rows(status, is_short=True)]
    lines = _aligned(rows, width=width)
    return "\n".join(line.rstrip() for line in [*lines, "", LEGEND])


def percentage(share_pct: float | None) -> str:
    """A share with one decimal, cut and not rounded, so that 100.0% means every record."""
    return "-" if share_pct is None else f"{int(share_pct * 10) / 10:.1f}%"


def short_count(number: int) -> str:
    """A counter of at most seven characters: 999,999, then 1.0M; cut, not rounded."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number * 10 // size / 10:.1f}{unit}"
    return f"{number:,}"


def short_instant(instant_us: int, *, now_us: int) -> str:
    """UTC time of an instant of today, else its date."""
    instant, today = iso_from_us(instant_us), iso_from_us(now_us)
    return f"{instant[11:16]}Z" if instant[:10] == today[:10] else instant[:10]


def _rows(status: Status, *, is_short: bool) -> list[tuple[str, ...]]:
    rows = [_row(source, now_us=status.at_us, is_short=is_short) for source in status.sources]
    stored, read, letters = (
        _count(status.total(name), is_short=is_short) for name in ("rows_stored", "rows_read", "open_letters")
    )
    return [*rows, ("total", "", "", stored, read, percentage(status.ok_pct), letters, "")]


def _row(source: SourceStatus, *, now_us: int, is_short: bool) -> tuple[str, ...]:
    return (
        inert_text(source.source),
        source.state.replace("_", " "),
        short_instant(source.last_run_at_us, now_us=now_us),
        _count(source.rows_stored, is_short=is_short),
        _count(source.rows_read, is_short=is_short),
        percentage(source.ok_pct),
        _count(source.open_letters, is_short=is_short),
        source.recent,
    )


def _count(number: int, *, is_short: bool) -> str:
    return short_count(number) if is_short else f"{number:,}"


def _aligned(rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Rows as lines of equal columns, one blank between; the first column gives way."""
    widths = _widths(rows)
    room = width - sum(widths[1:]) - len(HEADER) + 1
    widths[0] = max(min(widths[0], room), _NAME_CHARS_MIN)
    return [
        " ".join(
            _cell(text, size, is_right=name in _RIGHT)
            for text, size, name in zip(row, widths, HEADER, strict=True)
        )
        for row in rows
    ]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[place]) for row in rows) for place in range(len(HEADER))]


def _cell(text: str, size: int, *, is_right: bool) -> str:
    fitting = text if len(text) <= size else text[: size - 1] + CUT
    return fitting.rjust(size) if is_right else fitting.ljust(size)
