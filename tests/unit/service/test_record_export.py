"""Exports: canonical order, the same bytes for the same content, nothing that a spreadsheet runs, whole files only."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from dataspine.clock import iso_from_us
from dataspine.errors import RequestError, StorageError
from dataspine.inert_text import csv_safe_cell
from dataspine.service import record_export
from dataspine.service.record_export import ExportFormat, save_records, write_records
from dataspine.service.records import RecordQuery
from dataspine.store.records import PAGE_ROWS
from tests.builders import (
    NOW_US,
    ingest_quotes,
    ingest_trades,
    make_desk,
    make_spine,
    quote,
    quote_profile,
    trade,
)

FORMS = list(ExportFormat)
NASTY = ["=1+1", "+A1", "-A1", "@A1", "'=1", "-1.5", "a,b", 'say "x"', "O'Brien", "＝1"]


def written(desk, source="quotes", **given):
    target = io.BytesIO()
    count = write_records(desk, RecordQuery(source), target, **given)
    return count, target.getvalue()


def saved(desk, path, source="quotes", **given):
    save_records(desk, RecordQuery(source), path, **given)
    return path.read_bytes()


def test_csv_has_a_header_and_canonical_rows(spine, desk):
    ingest_quotes(spine, [quote("B", "2026-01-09T13:00:00.5Z"), quote("A", open="1.50", high="200", low="1")])
    count, content = written(desk)
    assert count == 2
    assert content.decode().splitlines() == [
        "source,symbol,timestamp,interval_s,price,volume,open,high,low,vwap,trade_count,volume_kind",
        "quotes,A,2026-01-09T13:00:00Z,0,187.25,1200,1.5,200,1,,,interval",
        "quotes,B,2026-01-09T13:00:00.500000Z,0,187.25,1200,,,,,,interval",
    ]


def test_json_lines_keep_decimals_as_text_and_counts_as_numbers(spine, desk):
    ingest_quotes(spine, [quote(price="0.10", trade_count=3)])
    count, content = written(desk, export_format=ExportFormat.JSONL)
    assert count == 1
    assert json.loads(content) == {
        "source": "quotes",
        "symbol": "AAPL",
        "timestamp": "2026-01-09T13:00:00Z",
        "interval_s": 0,
        "price": "0.1",
        "volume": 1200,
        **dict.fromkeys(("open", "high", "low", "vwap")),
        "trade_count": 3,
        "volume_kind": "interval",
    }


def test_parquet_keeps_instants_and_decimal_text(spine, desk, tmp_path):
    ingest_quotes(spine, [quote("B"), quote("A", price="12345678.123456789")])
    path = tmp_path / "out.parquet"
    assert save_records(desk, RecordQuery("quotes"), path, export_format=ExportFormat.PARQUET) == 2
    frame = pl.read_parquet(path)
    assert frame["symbol"].to_list() == ["A", "B"]
    assert frame["price"].to_list() == ["12345678.123456789", "187.25"]
    assert frame["timestamp"].to_list() == [datetime(2026, 1, 9, 13, tzinfo=UTC)] * 2
    assert frame.schema["volume"] == pl.Int64


def test_decimal_volumes_are_text_in_every_form(spine, desk, tmp_path):
    ingest_quotes(spine, [quote(volume="0.5"), quote("B", volume=7)], profile=quote_profile(volume="decimal"))
    lines = written(desk, export_format=ExportFormat.JSONL)[1].decode().splitlines()
    assert [json.loads(line)["volume"] for line in lines] == ["0.5", "7"]
    saved(desk, tmp_path / "out", export_format=ExportFormat.PARQUET)
    assert pl.read_parquet(tmp_path / "out")["volume"].to_list() == ["0.5", "7"]


@pytest.mark.parametrize("form", FORMS)
def test_same_content_gives_the_same_bytes(tmp_path, form):
    rows = [quote(symbol, f"2026-01-09T13:00:0{second}Z") for symbol in "CAB" for second in (2, 0, 1)]
    found = set()
    for number, payloads in enumerate(([rows], [rows[::-1]], [rows[5:], rows[:6]])):
        spine = make_spine(tmp_path / str(number))
        for place, payload in enumerate(payloads):
            ingest_quotes(spine, payload, object_name=str(place))
        found.add(saved(make_desk(spine), tmp_path / "out", export_format=form))
        spine.workspace.database.close()
    assert len(found) == 1


def test_more_than_a_page_is_one_export_in_every_form(spine, desk, tmp_path):
    count = PAGE_ROWS + 1
    instants = (iso_from_us(NOW_US - 1_000_000 * number) for number in range(count))
    ingest_quotes(spine, [quote(at=instant) for instant in instants])
    ingest_quotes(spine, [quote(price="1")], object_name="correction")
    saved(desk, tmp_path / "csv")
    saved(desk, tmp_path / "jsonl", export_format=ExportFormat.JSONL)
    saved(desk, tmp_path / "parquet", export_format=ExportFormat.PARQUET)
    frames = [
        pl.read_csv(tmp_path / "csv", schema_overrides={"price": pl.String}),
        pl.read_ndjson(tmp_path / "jsonl"),
    ]
    for frame in frames:
        assert frame.height == count
        assert frame["timestamp"].str.to_datetime(time_zone="UTC").is_sorted()
        assert (frame["price"] == "1").sum() == 1
    assert pl.read_parquet(tmp_path / "parquet")["price"].to_list() == frames[0]["price"].to_list()


@pytest.mark.parametrize("form", [ExportFormat.CSV, ExportFormat.JSONL])
def test_stream_and_file_hold_the_same_bytes(spine, desk, tmp_path, form):
    ingest_trades(spine, [trade("2"), trade("1")])
    in_file = saved(desk, tmp_path / "out", "trades", export_format=form)
    assert in_file == written(desk, "trades", export_format=form)[1]


def test_formulas_are_set_off_as_cells_are(spine, desk):
    allowed = "".join(sorted(set("".join(NASTY)) - set("＝")))
    symbols = [text for text in NASTY if set(text) <= set(allowed)]
    profile = quote_profile(symbology={"charset": allowed})
    ingest_quotes(spine, [quote(symbol) for symbol in symbols], profile=profile)
    cells = [row["symbol"] for row in csv.DictReader(io.StringIO(written(desk)[1].decode()))]
    raw = [row["symbol"] for row in csv.DictReader(io.StringIO(written(desk, is_raw=True)[1].decode()))]
    assert raw == sorted(symbols)
    assert cells == [csv_safe_cell(symbol) for symbol in sorted(symbols)]
    assert cells != raw


@pytest.mark.parametrize("text", [*NASTY, "\t=1", "\r=1", "\n=1", "1e5", "-1e-7", "+x", ""])
def test_columns_and_cells_are_set_off_alike(text):
    frame = pl.DataFrame({"text": [text, None], "number": [-1, None]})
    safe = record_export._formula_safe(frame)
    assert safe["text"].to_list() == [csv_safe_cell(text), None]
    assert safe["number"].to_list() == [-1, None]


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_still_make_a_file(spine, desk, tmp_path, form):
    ingest_quotes(spine, [quote()])
    query = RecordQuery("quotes", end_us=0)
    path = tmp_path / "out"
    assert save_records(desk, query, path, export_format=form) == 0
    if form is ExportFormat.JSONL:
        assert path.read_bytes() == b""
        return
    frame = pl.read_csv(path) if form is ExportFormat.CSV else pl.read_parquet(path)
    assert frame.height == 0
    assert frame.columns[:3] == ["source", "symbol", "timestamp"]


def test_file_is_private_and_replaces_an_older_one(spine, desk, tmp_path):
    ingest_quotes(spine, [quote()])
    path = tmp_path / "out.csv"
    path.write_text("old")
    saved(desk, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("source,")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["out.csv", "workspace"]


@pytest.mark.parametrize("form", FORMS)
def test_failure_leaves_the_older_file_and_nothing_else(spine, desk, tmp_path, form):
    ingest_quotes(spine, [quote()])
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(RequestError, match="never had this symbol"):
        save_records(desk, RecordQuery("quotes", symbol="NOPE"), path, export_format=form)
    assert path.read_text() == "old"
    assert sorted(child.name for child in tmp_path.iterdir()) == ["out.csv", "workspace"]


@pytest.mark.parametrize(
    "name", ["dataspine.db", "dataspine.db-wal", "dataspine.toml", "payloads/x", "locks"]
)
def test_workspace_itself_is_never_replaced(spine, desk, name):
    ingest_quotes(spine, [quote()])
    with pytest.raises(RequestError, match="workspace's own files"):
        saved(desk, spine.workspace.home / name)


def test_link_to_the_database_is_never_followed(spine, desk, tmp_path):
    ingest_quotes(spine, [quote()])
    link = tmp_path / "innocent.csv"
    link.symlink_to(spine.workspace.home / "dataspine.db")
    with pytest.raises(RequestError, match="workspace's own files"):
        saved(desk, link)


def test_folder_and_missing_folder_are_named(spine, desk, tmp_path):
    ingest_quotes(spine, [quote()])
    with pytest.raises(RequestError, match="needs a file"):
        saved(desk, tmp_path)
    with pytest.raises(RequestError, match="does not exist"):
        saved(desk, tmp_path / "no" / "out.csv")


def test_parquet_needs_a_file(desk):
    with pytest.raises(RequestError, match=r"cannot be written to a stream.*--out"):
        written(desk, export_format=ExportFormat.PARQUET)


def test_workspace_without_database_is_said(tmp_path):
    spine = make_spine(tmp_path)
    spine.workspace.database.close()
    (spine.workspace.home / "dataspine.db").unlink()
    with pytest.raises(StorageError, match="there is no database"):
        written(make_desk(spine))
