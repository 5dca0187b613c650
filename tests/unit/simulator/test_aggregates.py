"""The aggregates API: what is asked, page by page, what can be seen at an instant, and faults in its records."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from dataspine.simulator.bars import bars
from tests.unit.simulator.market_under_test import FEW, HALF_DAY, MONDAY, SEED, VendorsAt, at

PATH = f"/v2/aggs/ticker/AAPL/range/1/minute/{MONDAY.day}/{MONDAY.day}"
KEY = {"apiKey": "simulator"}


def starts(page) -> list[int]:
    return [bar["t"] for bar in page.get("results", [])]


def start_ms(text: str) -> int:
    return at(text) // 1_000


def bar_at(page, text: str) -> dict:
    (found,) = [bar for bar in page["results"] if bar["t"] == start_ms(text)]
    return found


def test_a_day_is_the_market_of_the_seed():
    page = VendorsAt().bars("MSFT")
    rows = list(bars(SEED, FEW[1:2], [MONDAY]).iter_rows(named=True))
    assert (page["ticker"], page["resultsCount"], page["status"]) == ("MSFT", 390, "OK")
    assert [(bar["t"] * 1_000, bar["v"], bar["n"]) for bar in page["results"]] == [
        (row["start_us"], row["volume"], row["trades"]) for row in rows
    ]


def test_the_same_request_has_the_same_bytes():
    first, second = (VendorsAt().answer(PATH, query=KEY).body for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("now", "bars_seen"), [("09:30:59.999999", 0), ("09:31", 1), ("16:00", 390)])
def test_a_bar_is_seen_one_minute_after_its_start(now, bars_seen):
    assert VendorsAt().bars(now=now)["resultsCount"] == bars_seen


def test_nothing_to_see_has_no_results():
    page = VendorsAt().bars(now="09:30")
    assert "results" not in page
    assert page["status"] == "OK"


def test_an_unknown_ticker_has_no_results():
    assert VendorsAt().bars("ZZZZ")["resultsCount"] == 0


def test_pages_follow_one_another_over_sessions():
    vendors = VendorsAt()
    path, query = f"/v2/aggs/ticker/AAPL/range/1/minute/2025-11-26/{MONDAY.day}", {**KEY, "limit": "1000"}
    seen, pages = [], 0
    while path:
        page = json.loads(vendors.answer(path, query=query, origin="http://127.0.0.1:8").body)
        seen += starts(page)
        pages += 1
        link = urlsplit(page.get("next_url", ""))
        assert "apiKey" not in link.query
        path, query = link.path, dict(parse_qsl(link.query)) | KEY
        assert link.netloc in ("127.0.0.1:8", "")
    full_days, half_days = 24, 2
    assert len(seen) == len(set(seen)) == full_days * 390 + half_days * 210
    assert seen == sorted(seen)
    assert pages == 10
    assert HALF_DAY.open_us // 1_000 in seen


@pytest.mark.parametrize(("limit", "pages_left"), [("390", False), ("389", True)])
def test_a_page_that_holds_everything_is_the_last(limit, pages_left):
    assert ("next_url" in VendorsAt().bars(query={"limit": limit})) is pages_left


def test_a_range_in_milliseconds_includes_both_ends():
    path = f"/v2/aggs/ticker/AAPL/range/1/minute/{start_ms('10:00')}/{start_ms('10:02')}"
    page = json.loads(VendorsAt().answer(path, query=KEY).body)
    assert starts(page) == [start_ms("10:00"), start_ms("10:01"), start_ms("10:02")]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1990-01-01", "1990-02-01"),
        ("1000-01-01", "1000-01-01"),
        ("2999-12-31", "2999-12-31"),
        ("0", "0"),
        ("99999999999999", "99999999999999"),
    ],
)
def test_a_range_outside_the_calendar_is_empty(start, end):
    path = f"/v2/aggs/ticker/AAPL/range/1/minute/{start}/{end}"
    assert json.loads(VendorsAt().answer(path, query=KEY).body)["resultsCount"] == 0


@pytest.mark.parametrize(
    "asked", [{}, {"query": {"apiKey": "wrong"}}, {"query": {"apiKey": ""}}, {"bearer": "wrong"}]
)
def test_without_the_key_nothing_is_told(asked):
    answer = VendorsAt().answer(PATH, **asked)
    assert answer.status == 401
    assert json.loads(answer.body)["error"] == "Unknown API Key"


def test_the_key_may_be_a_bearer_token():
    assert VendorsAt().answer(PATH, bearer="simulator").status == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/aggs/ticker/AAPL/prev", {}),
        ("/v2/aggs/ticker/AAPL/range/5/minute/2026-01-05/2026-01-05", {}),
        ("/v2/aggs/ticker/AAPL/range/1/day/2026-01-05/2026-01-05", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/2026-01-06/2026-01-05", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/yesterday/2026-01-05", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/2026-13-05/2026-13-06", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/0001-01-01/2026-01-05", {}),
        ("/v2/aggs/ticker/AAPL/range/1/minute/2026-01-05/9999-12-31", {}),
        (PATH, {"limit": "0"}),
        (PATH, {"limit": "50001"}),
        (PATH, {"limit": "-5"}),
        (PATH, {"sort": "desc"}),
    ],
)
def test_what_the_vendor_does_not_offer_is_refused(path, query):
    answer = VendorsAt().answer(path, query={**KEY, **query})
    assert answer.status == 400
    assert json.loads(answer.body)["error"]


def test_duplicates_repeat_bars_of_their_time():
    page = VendorsAt("aggs.duplicates@10:00+2m:2").bars()
    assert page["resultsCount"] == 394
    assert starts(page).count(start_ms("10:00")) == starts(page).count(start_ms("10:01")) == 3
    assert starts(page).count(start_ms("10:02")) == 1


def test_copies_stay_on_the_page_of_their_bar():
    page = VendorsAt("aggs.duplicates@09:30+1m").bars(query={"limit": "1"})
    assert starts(page) == [start_ms("09:30")] * 2
    assert f"/{start_ms('09:31')}/" in page["next_url"]


def test_late_bars_are_missing_until_they_come():
    vendors = VendorsAt("aggs.late_prints@10:00+1m:15")
    seen = {now: start_ms("10:00") in starts(vendors.bars(now=now)) for now in ("10:15:59", "10:16")}
    assert seen == {"10:15:59": False, "10:16": True}
    assert start_ms("10:01") in starts(vendors.bars(now="10:15:59"))


def test_a_restatement_changes_what_was_sent():
    vendors = VendorsAt("restatement@10:00+5m:10")
    before, after = (bar_at(vendors.bars(now=now), "10:04") for now in ("10:14:59", "10:15"))
    assert before == bar_at(VendorsAt().bars(), "10:04")
    assert after["v"] == before["v"] + before["v"] // 10 + 1
    assert {key: after[key] for key in "ohlct"} == {key: before[key] for key in "ohlct"}
    assert before["l"] <= after["vw"] <= before["h"]
    unchanged = bar_at(VendorsAt().bars(), "10:05")
    assert bar_at(vendors.bars(), "10:05") == unchanged


def test_bad_records_are_broken_in_turn():
    page = VendorsAt("aggs.bad_records@10:00+10m:2").bars()
    good = VendorsAt().bars()
    broken = [bar for bar in page["results"] if bar not in good["results"]]
    assert len(broken) == 5
    assert broken[0]["c"] < 0
    assert broken[1]["c"] == "N/A"
    assert "c" not in broken[2]
    assert broken[3]["v"] < 0
    assert broken[4]["t"] == 0


def test_a_stale_vendor_has_no_newer_bars():
    vendors = VendorsAt("aggs.stale_feed@10:00+10m")
    counts = [vendors.bars(now=now)["resultsCount"] for now in ("10:00", "10:09:59", "10:10")]
    assert counts == [30, 30, 40]


def test_a_schema_change_renames_the_close_while_it_lasts():
    vendors = VendorsAt("aggs.schema_change@10:00+10m")
    changed, after = (vendors.bars(now=now)["results"][0] for now in ("10:05", "10:10"))
    assert "c" not in changed
    assert changed["close"] == after["c"]


def test_faults_of_others_leave_bars_alone():
    faults = ("quotes.stale_feed@10:00+1d", "executions.duplicates@10:00", "quotes.bad_records@10:00")
    assert VendorsAt(*faults).bars(now="12:00") == VendorsAt().bars(now="12:00")
