"""`dataspine records`: what is stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of, instant_us
from dataspine.cli.output import JsonOption, count, emit, narrate, say, table
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.service.records import RecordPage, RecordQuery

FORMATS = ("csv", "jsonl", "parquet")
_SHOWN = {
    "market": ("symbol", "timestamp", "interval_s", "price", "volume", "run_id"),
    "trade": ("client_id", "trade_id", "timestamp", "symbol", "side", "quantity", "price", "run_id"),
}
"""Columns of the table for people; the JSON form has them all."""

SourceOption = Annotated[str, typer.Option("--source", help="Source to read.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="Only this symbol.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First instant, e.g. 2026-01-09T14:30:00Z.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Instant to stop before.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Records as they were known at this instant.")
]

app = typer.Typer(help="Stored records: show, export, digest.", no_args_is_help=True)


def commands() -> typer.Typer:
    """The sub-commands of `records`."""
    return app


@app.command()
def show(
    context: typer.Context,
    source: SourceOption,
    *,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    as_of: AsOfOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Records at most.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the first records of a source, by symbol and time, or by client and trade."""
    from dataspine.service.records import first_records

    query = _query(source, symbol, start, end, as_of=as_of)
    page = first_records(desk_of(context), query, limit=limit)
    document = {
        "source": page.source,
        "kind": page.kind,
        "records": list(page.records),
        "has_more": page.has_more,
    }
    emit(as_json, document, lambda: _print_page(page))


@app.command()
def export(
    context: typer.Context,
    source: SourceOption,
    *,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    as_of: AsOfOption = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet.")] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; standard output without it.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="CSV cells as they are, formulas too.")] = False,
) -> None:
    """Write records in canonical order; the same content gives the same bytes.

    Decimals are text in JSON lines and Parquet. A CSV cell that a spreadsheet would run gets an apostrophe in front.
    """
    from dataspine.service.record_export import ExportFormat, save_records, write_records

    if form not in FORMATS:
        raise RequestError("--format must be " + ", ".join(FORMATS), found=form)
    chosen = ExportFormat(form)
    desk, query = desk_of(context), _query(source, symbol, start, end, as_of=as_of)
    if out is None:
        write_records(desk, query, sys.stdout.buffer, export_format=chosen, is_raw=raw)
        sys.stdout.buffer.flush()
        return
    written = save_records(desk, query, out, export_format=chosen, is_raw=raw)
    narrate(f"{count(written)} records in {out}")


@app.command()
def digest(
    context: typer.Context,
    source: SourceOption,
    *,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one hash of the records, the same however and in whatever order they came in."""
    from dataclasses import asdict

    from dataspine.service.records import digest_of

    found = digest_of(desk_of(context), _query(source, symbol, start, end, as_of=as_of))
    emit(as_json, asdict(found), lambda: say(found.digest))


def _query(
    source: str, symbol: str | None, start: str | None, end: str | None, *, as_of: str | None
) -> RecordQuery:
    from dataspine.service.records import RecordQuery

    return RecordQuery(
        source,
        symbol,
        start_us=None if start is None else instant_us(start, option="--from"),
        end_us=None if end is None else instant_us(end, option="--to"),
        as_of_us=None if as_of is None else instant_us(as_of, option="--as-of"),
    )


def _print_page(page: RecordPage) -> None:
    if not page.records:
        say("No records.")
        return
    columns = _SHOWN[page.kind]
    rows = [[record[name] for name in columns] for record in page.records]
    table(f"Records of {page.source}", columns, rows)
    if page.has_more:
        say(f"The first {count(len(rows))}; `dataspine records export` has them all.")
