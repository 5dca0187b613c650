"""First looks and digests: exact values, and one hash for one content."""

from __future__ import annotations

import hashlib

import pytest

from dataspine.pipeline.ingest import IngestOptions
from dataspine.service.records import RecordQuery, digest_of, first_records
from tests.builders import (
    NOW_US,
    ingest_quotes,
    ingest_trades,
    kill_after_first_chunk,
    make_desk,
    make_spine,
    quote,
    quote_profile,
    trade,
)


def digest(desk, source="quotes", **given):
    return digest_of(desk, RecordQuery(source, **given)).digest


def test_first_look_shows_exact_values_and_where_they_came_from(spine, desk):
    ingest_quotes(spine, [quote("Z"), quote("A", "2026-01-09T13:00:00.25Z", price="1.10", trade_count=3)])
    page = first_records(desk, RecordQuery("quotes"), limit=1)
    assert page.has_more
    assert page.records == (
        {
            "symbol": "A",
            "timestamp": "2026-01-09T13:00:00.250000Z",
            "interval_s": 0,
            "price": "1.1",
            "volume": 1200,
            **dict.fromkeys(("open", "high", "low", "vwap")),
            "trade_count": 3,
            "volume_kind": "interval",
            "run_id": 1,
            "position": 2,
        },
    )


@pytest.mark.parametrize(("limit", "has_more"), [(1, True), (2, False), (3, False)])
def test_more_is_told_exactly(spine, desk, limit, has_more):
    ingest_trades(spine, [trade("1"), trade("2")])
    page = first_records(desk, RecordQuery("trades"), limit=limit)
    assert (len(page.records), page.has_more) == (min(limit, 2), has_more)


def test_decimal_volumes_are_text(spine, desk):
    profile = quote_profile(volume="decimal")
    ingest_quotes(spine, [quote(volume="0.10"), quote("B", volume=7)], profile=profile)
    page = first_records(desk, RecordQuery("quotes"), limit=5)
    assert [record["volume"] for record in page.records] == ["0.1", "7"]


def test_digest_is_of_the_documented_lines(spine, desk):
    ingest_quotes(spine, [quote("B", interval_s=60, vwap="2.50"), quote("A")])
    ingest_trades(spine, [trade(exec_type="CANCEL", ref_trade_id="T0")])
    market = (
        b"A,1767963600000000,0,187.25,1200,,,,,,interval\n"
        b"B,1767963600000000,60,187.25,1200,,,,2.5,,interval\n"
    )
    traded = b"C1,T1,AAPL,1767963600000000,BUY,100,187.25,XNAS,CANCEL,T0\n"
    assert digest(desk) == hashlib.sha256(market).hexdigest()
    assert digest(desk, "trades") == hashlib.sha256(traded).hexdigest()
    assert digest_of(desk, RecordQuery("quotes")).records == 2


def test_digest_does_not_tell_how_the_records_came_in(tmp_path):
    records = [quote(symbol, f"2026-01-09T13:00:0{second}Z") for symbol in "CAB" for second in (2, 0, 1)]
    ways = (
        [records],
        [records[::-1]],
        [[record] for record in records],
        [records[4:], records[:6], records],
    )
    found = set()
    for number, payloads in enumerate(ways):
        spine = make_spine(tmp_path / str(number))
        for place, payload in enumerate(payloads):
            options = IngestOptions(chunk_records=1 + number)
            ingest_quotes(spine, payload, object_name=str(place), options=options)
        found.add(digest(make_desk(spine)))
        spine.workspace.database.close()
    assert len(found) == 1


def test_digest_tells_any_other_content(spine, desk):
    seen = []
    for values in ({}, {"price": "187.26"}, {"volume": 1201}, {"open": "187.25"}):
        ingest_quotes(spine, [quote(**values)], object_name=str(values))
        seen.append(digest(desk))
    assert len(set(seen)) == 4


def test_digest_of_then_stays_what_it_was(spine, desk):
    ingest_quotes(spine, [quote()])
    before = digest(desk)
    spine.clock.advance_s(60)
    ingest_quotes(spine, [quote(price="1"), quote("B")], object_name="second")
    assert digest(desk) != before
    assert digest(desk, as_of_us=NOW_US) == before


def test_run_that_died_changes_no_digest(spine, desk):
    ingest_quotes(spine, [quote()])
    before = digest(desk)
    kill_after_first_chunk(spine, [quote(price="1"), quote("B")], object_name="second")
    assert digest(desk) == before


def test_nothing_known_then_is_the_empty_digest(spine, desk):
    ingest_quotes(spine, [quote()])
    found = digest_of(desk, RecordQuery("quotes", as_of_us=NOW_US - 1))
    assert (found.records, found.digest) == (0, hashlib.sha256().hexdigest())
