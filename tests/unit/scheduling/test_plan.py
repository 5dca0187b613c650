"""Backfill plans: which sessions, why, at what cost, and what makes two plans differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import SystemClock
from dataspine.errors import RequestError
from dataspine.scheduling.plan import (
    MAX_MOVES,
    MAX_SLICES,
    BackfillMode,
    HeldSession,
    Pace,
    Versions,
    Why,
    moved,
    plan_backfill,
    plan_from_text,
    plan_text,
    utc_days,
)
from dataspine.schemas.job import SliceState
from tests.builders import quote_profile
from tests.unit.calendars.calendar_builder import session

NOW = Versions("c0ffee", "0.1.0+abc", "ca1e")
BY_SYMBOL = quote_profile("bars", url="https://vendor.example/{symbol}", symbols=("MSFT", "AAPL"))
DAYS = [session("2026-01-05"), session("2026-01-06"), session("2026-01-07")]
HOURS = {day.day.isoformat(): (day.open_us, day.close_us) for day in DAYS}


def held(state: SliceState = SliceState.SUCCEEDED, **given) -> HeldSession:
    return HeldSession(state, **{"versions": NOW, "rows": 780, "digest": "d1", **given})


def plan(holdings=None, *, profile=BY_SYMBOL, sessions=DAYS, **given):
    return plan_backfill(profile, sessions, holdings or {}, **{"versions": NOW, **given})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, Why.MISSING),
        (held(SliceState.QUEUED), Why.MISSING),
        (held(SliceState.CANCELLED), Why.MISSING),
        (held(SliceState.FAILED), Why.FAILED),
        (held(missing_symbols=("AAPL",)), Why.MISSING),
        (held(versions=replace(NOW, config_hash="old", code_version="old")), Why.STALE_CONFIG),
        (held(versions=replace(NOW, code_version="old", calendar_version="old")), Why.STALE_CODE),
        (held(versions=replace(NOW, calendar_version="old")), Why.STALE_CALENDAR),
        (held(hours=(1, 2)), Why.STALE_CALENDAR),
        (held(hours=HOURS["2026-01-06"], versions=replace(NOW, calendar_version="shorter")), None),
        (held(), None),
    ],
)
@pytest.mark.parametrize("mode", BackfillMode)
def test_why_a_session_is_taken_up(found, why, mode):
    holdings = {"2026-01-05": held(), "2026-01-07": held()} | ({"2026-01-06": found} if found else {})
    made = plan(holdings, mode=mode)
    if mode is BackfillMode.GAPS:
        assert [(item.partition, item.why) for item in made.slices] == ([("2026-01-06", why)] if why else [])
    else:
        assert [item.why for item in made.slices] == [Why.FORCED, why or Why.FORCED, Why.FORCED]
        assert made.slices[1].held == found


def test_slices_are_in_order_whatever_the_order_of_the_sessions():
    made = plan(sessions=reversed(DAYS))
    assert made == plan()
    assert [(item.partition, (item.open_us, item.close_us)) for item in made.slices] == list(HOURS.items())


def test_an_empty_range_is_an_empty_plan():
    made = plan(sessions=())
    assert (made.slices, made.requests, made.estimate_s) == ((), 0, 0.0)


@pytest.mark.parametrize(
    ("url", "requests"),
    [("https://v.example/{symbol}", 4), ("https://v.example/?s={symbols}", 2), ("https://v.example/all", 2)],
)
def test_requests_are_symbols_times_pages(url, requests):
    profile = quote_profile(url=url, symbols=("MSFT", "AAPL"))
    made = plan(profile=profile, pace=Pace(pages_per_request=2.0))
    assert ({item.requests for item in made.slices}, made.requests) == ({requests}, 3 * requests)


def test_files_cost_the_vendor_nothing():
    made = plan(profile=quote_profile(path="drop/*.json"), pace=Pace(slice_s=2.0))
    assert (made.requests, made.vendor_s, made.estimate_s) == (0, 0.0, 6.0)


def test_the_estimate_follows_whichever_is_slower_the_vendors_rate_or_its_answers():
    slow = quote_profile(url="https://v.example/all", rate={"per_minute": 30})
    made = plan(profile=slow, pace=Pace(request_s=1.0, slice_s=0.5))
    assert (made.vendor_s, made.estimate_s) == (6.0, 7.5)
    quick = plan(profile=quote_profile(url="https://v.example/all"), pace=Pace(request_s=1.0, slice_s=0.5))
    assert quick.vendor_s == pytest.approx(0.3)
    assert quick.estimate_s == 4.5


def test_symbols_are_the_profiles_or_the_operators_and_sorted():
    assert plan().symbols == ("AAPL", "MSFT")
    assert plan(symbols=["TSLA", "AAPL", "TSLA"]).symbols == ("AAPL", "TSLA")
    assert plan(profile=quote_profile(path="x.json", symbols=("AAPL",))).symbols == ()


def test_a_source_that_is_not_asked_by_symbol_refuses_symbols():
    with pytest.raises(RequestError, match=r"single symbols, got AAPL \(source quotes\)"):
        plan(profile=quote_profile(path="x.json"), symbols=["AAPL"])


def test_a_range_without_end_is_refused():
    with pytest.raises(RequestError, match="at most 100,000 sessions, got 100,001"):
        plan(sessions=[DAYS[0]] * (MAX_SLICES + 1))


CHANGES = {
    "source": {"profile": BY_SYMBOL.model_copy(update={"name": "other"})},
    "mode": {"mode": BackfillMode.REINGEST},
    "symbols": {"symbols": ["AAPL"]},
    "configuration": {"versions": replace(NOW, config_hash="other")},
    "code": {"versions": replace(NOW, code_version="other")},
    "calendar": {"versions": replace(NOW, calendar_version="other")},
    "2026-01-07 is no session any more": {"sessions": DAYS[:2]},
    "2026-01-08 became a session": {"sessions": [*DAYS, session("2026-01-08")]},
    "2026-01-07 has other hours": {"sessions": [*DAYS[:2], session("2026-01-07", closes="18:00")]},
    "2026-01-05 was not there, is succeeded (780 records, digest d1, made with c0ffee": {
        "holdings": {"2026-01-05": held()}
    },
    "2026-01-06 was failed (780 records, digest d1": {"holdings": {}},
    "2026-01-06 was failed (780 records, digest d1, made with c0ffee, 0.1.0+abc, ca1e), is failed (5 records": {
        "holdings": {"2026-01-06": held(SliceState.FAILED, rows=5)}
    },
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_decides_a_plan_changes_its_id_and_is_named(what):
    base = {"2026-01-06": held(SliceState.FAILED)}
    old, new = plan(base), plan(**{"holdings": base, **CHANGES[what]})
    assert old.plan_id != new.plan_id
    assert any(line.startswith(what) for line in moved(old, new))
    assert moved(old, old) == []


def test_estimates_are_no_part_of_the_id():
    fast, slow = plan(), plan(pace=Pace(pages_per_request=9.0, request_s=60.0))
    assert fast.plan_id == slow.plan_id
    assert moved(fast, slow) == []
    assert fast.estimate_s < slow.estimate_s


def test_holdings_outside_the_range_decide_nothing():
    assert plan({"2020-01-06": held()}) == plan()


def test_what_moved_is_cut_with_a_count():
    days = utc_days(date(2026, 1, 1), date(2026, 2, 9))
    old = plan(sessions=days)
    lines = moved(old, plan({day.day.isoformat(): held() for day in days}, sessions=days))
    assert (len(lines), lines[-1]) == (MAX_MOVES + 1, "and 20 more sessions")


def test_a_plan_survives_its_text():
    made = plan(
        {"2026-01-05": held(SliceState.FAILED, hours=(1, 2), missing_symbols=("X",))}, symbols=["AAPL"]
    )
    assert plan_from_text(plan_text(made)) == made
    assert plan_text(made) == plan_text(plan_from_text(plan_text(made)))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"plan_id": 1}'])
def test_text_that_is_no_plan_is_refused(text):
    with pytest.raises(RequestError, match="this is no plan"):
        plan_from_text(text)


def test_a_plan_that_was_edited_is_refused():
    text = plan_text(plan())
    with pytest.raises(RequestError, match="changed after it was made"):
        plan_from_text(text.replace("AAPL", "TSLA"))


def test_utc_days_are_whole_and_include_both_ends():
    days = utc_days(date(2026, 2, 28), date(2026, 3, 1))
    assert [day.day.isoformat() for day in days] == ["2026-02-28", "2026-03-01"]
    assert days[0].close_us == days[1].open_us
    assert days == shipped_calendar("24/7").sessions_between(date(2026, 2, 28), date(2026, 3, 1))
    with pytest.raises(RequestError, match="must not be after"):
        utc_days(date(2026, 3, 1), date(2026, 2, 28))


def test_five_years_of_500_symbols_are_planned_within_a_second():
    symbols = tuple(f"S{number:03}" for number in range(500))
    profile = quote_profile(url="https://v.example/{symbol}", symbols=symbols)
    sessions = shipped_calendar("XNYS").sessions_between(date(2021, 1, 1), date(2025, 12, 31))
    holdings = {day.day.isoformat(): held(missing_symbols=symbols) for day in sessions[::2]}
    clock = SystemClock()
    began_s = clock.monotonic_s()
    made = plan(holdings, profile=profile, sessions=sessions)
    assert clock.monotonic_s() - began_s < 1.0
    assert made.requests == 500 * len(sessions) > 500 * 5 * 250
