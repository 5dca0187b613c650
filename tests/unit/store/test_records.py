"""Reads in canonical order: pages, filters, states after a run, and nothing of a run that has not ended."""

from __future__ import annotations

import pytest

from dataspine.errors import RequestError
from dataspine.store import records
from dataspine.store.records import RecordQuery
from tests.builders import (
    NOW_US,
    ingest_quotes,
    ingest_trades,
    kill_after_first_chunk,
    quote,
    quote_profile,
    trade,
)

HOUR_US = 3_600_000_000
ONE_US = 1_767_963_600_000_000
"""2026-01-09T13:00:00Z, the time of the builders' records."""


def rows_of(spine, query, *, page_rows=records.PAGE_ROWS):
    database = spine.workspace.database
    pages = list(records.pages(database, records.snapshot(database, query), query, page_rows=page_rows))
    assert all(len(page) == page_rows for page in pages[:-1])
    return [row for page in pages for row in page]


def prices(spine, **given):
    return [row[3] for row in rows_of(spine, RecordQuery("quotes", **given))]


def visible(spine):
    view = (
        "SELECT symbol_id, timestamp_us, interval_s, price, run_id FROM market_data_visible ORDER BY 1, 2, 3"
    )
    return spine.workspace.database.rows(view)


def test_market_rows_come_by_symbol_time_and_interval(spine):
    later = "2026-01-09T13:00:01Z"
    ingest_quotes(spine, [quote("B"), quote("AA"), quote("A", later), quote("A", interval_s=60), quote("A")])
    keys = [row[:3] for row in rows_of(spine, RecordQuery("quotes"))]
    assert keys == [
        ("A", ONE_US, 0),
        ("A", ONE_US, 60),
        ("A", ONE_US + 1_000_000, 0),
        ("AA", ONE_US, 0),
        ("B", ONE_US, 0),
    ]


def test_trades_come_by_client_and_trade_as_text(spine):
    ingest_trades(spine, [trade("T2"), trade("T10"), trade("T3", "A"), trade("t1")])
    assert [row[:2] for row in rows_of(spine, RecordQuery("trades"))] == [
        ("A", "T3"),
        ("C1", "T10"),
        ("C1", "T2"),
        ("C1", "t1"),
    ]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 6, 7])
def test_pages_hold_the_same_rows_whatever_their_size(spine, page_rows):
    times = [f"2026-01-09T13:00:0{second}Z" for second in range(3)]
    ingest_quotes(spine, [quote(symbol, at) for symbol in ("A", "B") for at in times])
    ingest_quotes(spine, [quote("A", times[1], price="2")], object_name="second")
    ingest_trades(spine, [trade(f"T{number}") for number in range(6)])
    for source in ("quotes", "trades"):
        whole = rows_of(spine, RecordQuery(source))
        assert len(whole) == 6
        assert rows_of(spine, RecordQuery(source), page_rows=page_rows) == whole


def test_time_range_takes_its_start_and_leaves_its_end(spine):
    ingest_quotes(spine, [quote(at=f"2026-01-09T{hour}:00:00Z", price=str(hour)) for hour in (11, 12, 13)])
    ingest_trades(spine, [trade(str(hour), timestamp=f"2026-01-09T{hour}:00:00Z") for hour in (11, 12, 13)])
    noon = {"start_us": ONE_US - HOUR_US, "end_us": ONE_US}
    assert prices(spine, **noon) == ["12"]
    assert [row[1] for row in rows_of(spine, RecordQuery("trades", **noon))] == ["12"]


def test_symbol_is_the_only_one_read(spine):
    ingest_quotes(spine, [quote("A"), quote("AA", price="2")])
    ingest_trades(spine, [trade("1", symbol="A"), trade("2", symbol="AA")])
    assert prices(spine, symbol="AA") == ["2"]
    assert [row[1] for row in rows_of(spine, RecordQuery("trades", symbol="AA"))] == ["2"]


def test_instant_shows_what_was_known_then(spine):
    ingest_quotes(spine, [quote(price="1"), quote("MSFT", price="5")])
    spine.clock.advance_s(60)
    ingest_quotes(spine, [quote(price="2")], object_name="second")
    minute_us = 60_000_000
    assert prices(spine, as_of_us=NOW_US - 1) == []
    assert prices(spine, as_of_us=NOW_US) == ["1", "5"]
    assert prices(spine, as_of_us=NOW_US + minute_us - 1) == ["1", "5"]
    assert prices(spine, as_of_us=NOW_US + minute_us) == ["2", "5"]
    assert prices(spine) == ["2", "5"]


def test_clock_that_went_back_shows_each_key_once(spine):
    for price in ("1", "2", "3"):
        ingest_quotes(spine, [quote(price=price)], object_name=price)
    for run_id, minute in ((1, 0), (2, 20), (3, 10)):
        at_us = NOW_US + minute * 60_000_000
        spine.workspace.database.rows("UPDATE runs SET finished_at_us = ? WHERE run_id = ?", (at_us, run_id))
    at_end = [prices(spine, as_of_us=NOW_US + minute * 60_000_000) for minute in (-1, 0, 9, 10, 20)]
    assert at_end == [[], ["1"], ["1"], ["3"], ["3"]]


def test_run_that_died_is_hidden_and_what_it_replaced_shows(spine):
    ingest_quotes(spine, [quote(price="1"), quote("MSFT", price="5")])
    kill_after_first_chunk(spine, [quote(price="2"), quote("NEW")], object_name="second")
    stored = spine.workspace.database.rows("SELECT price FROM market_data WHERE run_id = 2")
    assert stored == [("2",)]
    assert prices(spine) == ["1", "5"]
    assert prices(spine, as_of_us=NOW_US) == ["1", "5"]


def test_reads_agree_with_the_visible_view(spine):
    ingest_quotes(spine, [quote(price="1"), quote("MSFT", price="5")])
    kill_after_first_chunk(spine, [quote(price="2"), quote("NEW")], object_name="second")
    for _ in range(2):
        assert [(row[1], row[3], row[-2]) for row in rows_of(spine, RecordQuery("quotes"))] == [
            (row[1], row[3], row[4]) for row in visible(spine)
        ]
        ingest_quotes(spine, [quote(price="3"), quote("NEW", price="7")], object_name="third")
    assert prices(spine) == ["3", "5", "7"]


def test_snapshot_holds_while_others_write(spine):
    database, query = spine.workspace.database, RecordQuery("quotes")
    ingest_quotes(spine, [quote(symbol) for symbol in ("A", "B", "C")])
    pages = records.pages(database, records.snapshot(database, query), query, page_rows=1)
    first = next(pages)
    ingest_quotes(spine, [quote("B", price="9"), quote("D")], object_name="second")
    assert [row[3] for page in [first, *pages] for row in page] == ["187.25"] * 3


def test_decimal_volumes_are_told_only_after_a_run_declared_them(spine):
    database = spine.workspace.database
    ingest_quotes(spine, [quote()])
    spine.clock.advance_s(1)
    ingest_quotes(spine, [quote(volume="0.5")], profile=quote_profile(volume="decimal"), object_name="second")
    now = records.snapshot(database, RecordQuery("quotes"))
    then = records.snapshot(database, RecordQuery("quotes", as_of_us=NOW_US))
    assert records.has_decimal_volumes(database, now)
    assert not records.has_decimal_volumes(database, then)
    assert rows_of(spine, RecordQuery("quotes"))[0][4] == "0.5"


def test_unknown_source_names_the_known_ones(spine):
    ingest_quotes(spine, [quote()])
    with pytest.raises(RequestError, match=r"nothing was ever ingested.*got quote.*quotes"):
        records.snapshot(spine.workspace.database, RecordQuery("quote"))


@pytest.mark.parametrize("source", ["quotes", "trades"])
def test_symbol_that_only_another_source_has_is_refused(spine, source):
    ingest_quotes(spine, [quote("ONLYQ")])
    ingest_trades(spine, [trade(symbol="ONLYT")])
    other = {"quotes": "ONLYT", "trades": "ONLYQ"}[source]
    with pytest.raises(RequestError, match="never had this symbol"):
        rows_of(spine, RecordQuery(source, symbol=other))
