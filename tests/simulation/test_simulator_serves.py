"""The simulator over real HTTP and real files: what it serves is accepted whole, and each fault is what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from dataspine.errors import PayloadError, RequestError, SourceUnavailable
from dataspine.simulator.drop import DropPlan, DropStyle
from tests.simulation.served_market import CALENDAR, MONDAY, TICKERS, codes, dropped, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FILLS = 543
"""Of Monday; the thin ones of 25 symbols do not trade in every minute."""


def test_everything_is_accepted_when_nothing_is_planned(tmp_path):
    with serving() as served:
        for minutes in (0, 0.5, 200, 390, 900):
            outcome = served.at(minutes).quotes()
            assert (outcome.accepted.height, codes(outcome)) == (25, []), minutes
        for ticker in TICKERS:
            outcome = served.bars(ticker.symbol, first="2025-12-23", limit=1_000)
            assert codes(outcome) == []
            assert outcome.duplicate == 0
            assert outcome.accepted.height == outcome.records > 8 * 2
    for style in DropStyle:
        outcome = dropped(tmp_path / style, style)
        assert (outcome.accepted.height, outcome.duplicate, codes(outcome)) == (FILLS, 0, [])


def test_pages_are_followed_to_the_end_of_the_range():
    with serving() as served:
        outcome = served.at(390).bars(first="2025-12-24", limit=100)
        assert outcome.accepted.height == 210 + 6 * 390
        whole = served.bars(first="2025-12-24", limit=50_000)
        assert outcome.accepted.equals(whole.accepted)


def test_a_client_that_has_the_answer_gets_none():
    with serving() as served:
        first = httpx2.get(served.simulation.quotes_url)
        url, headers = served.simulation.quotes_url, {"If-None-Match": first.headers["ETag"]}
        again = httpx2.get(url, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        served.at(1)
        assert httpx2.get(url, headers=headers).status_code == 200


def test_only_loopback_is_served():
    with serving() as served:
        assert served.simulation.origin.startswith("http://127.0.0.1:")


def test_links_stay_on_the_host_that_the_client_named():
    with serving() as served:
        url = served.at(60).simulation.bars_url("AAPL", "2026-01-05", "2026-01-05")
        named = url.replace("127.0.0.1", "localhost")
        for asked in (url, named):
            page = httpx2.get(asked, params={"apiKey": "simulator", "limit": 1}).json()
            assert page["next_url"].startswith(asked.rpartition("/v2/")[0])


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("rate_limit_storm@10:00+1m:7", "429"),
        ("server_errors@10:00+1m:502", "502"),
        ("truncated_body@10:00+1m", "connection failed"),
        ("truncated_body@10:00+1m:0", "connection failed"),
    ],
)
def test_an_attempt_fails_and_may_be_tried_again(fault, found):
    with serving(fault) as served:
        for ask in (served.at(30).quotes, served.bars):
            with pytest.raises(SourceUnavailable, match=found) as caught:
                ask()
            assert caught.value.retry_after_s == (7.0 if found == "429" else None)
        served.at(31)
        assert (codes(served.quotes()), codes(served.bars())) == ([], [])


def test_a_hung_vendor_runs_into_the_clients_deadline_and_holds_up_nobody():
    with serving("aggs.hang@10:00+1m:30") as served:
        served.at(30)
        started_s = time.monotonic()
        with pytest.raises(SourceUnavailable, match="no whole answer within"):
            served.bars(timeout_s=0.3)
        assert codes(served.quotes()) == []
        assert time.monotonic() - started_s < 5


def test_the_server_stops_although_requests_hang():
    failures: list[Exception] = []

    def ask(url: str) -> None:
        try:
            httpx2.get(url, timeout=30)
        except httpx2.HTTPError as error:
            failures.append(error)

    with serving("hang@10:00+1m:600") as served:
        url = served.at(30).simulation.quotes_url
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        started_s = time.monotonic()
    for thread in threads:
        thread.join(timeout=10)
    assert time.monotonic() - started_s < 10
    assert len(failures) == 5


def test_garbage_is_a_payload_that_cannot_be_read():
    with serving("garbage@10:00+1m") as served, pytest.raises(PayloadError):
        served.at(30).quotes()


def test_a_stale_feed_has_no_news():
    with serving("stale_feed@10:00+10m") as served:
        before, during, after = (served.at(minutes).quotes().accepted for minutes in (30, 39.9, 40))
        assert before.equals(during)
        assert not after.equals(during)


def test_duplicates_are_counted_and_stored_once():
    with serving("aggs.duplicates@10:00+5m:2") as served:
        outcome = served.at(390).bars()
        assert (outcome.records, outcome.duplicate, outcome.accepted.height) == (400, 10, 390)


def test_late_prints_come_in_the_end():
    with serving("aggs.late_prints@10:00+5m:15") as served:
        early, later = (served.at(minutes).bars() for minutes in (45, 60))
        assert early.accepted.height == 45 - 5
        assert later.accepted.height == 60
        assert codes(later) == []


def test_a_restatement_has_other_values_under_the_same_keys():
    with serving("restatement@10:00+5m:10") as served:
        before, after = (served.at(minutes).bars().accepted for minutes in (44, 46))
        both = before.join(after, on=["symbol", "timestamp"], suffix="_new")
        assert both.height == before.height
        assert both.filter(both["volume"] != both["volume_new"]).height == 5


def test_bad_records_are_refused_and_no_others():
    with serving("bad_records@10:00+10m:2") as served:
        quotes, bars = served.at(35).quotes(), served.at(45).bars()
        assert codes(bars) == [
            "PRICE_VALIDITY",
            "NUMBER_FORMAT",
            "REQUIRED",
            "VOLUME_VALIDITY",
            "TIMESTAMP_RANGE",
        ]
        assert bars.accepted.height == 45 - 5
        assert len(codes(quotes)) + quotes.accepted.height == quotes.records == 25
        assert 0 < len(codes(quotes)) <= 13


def test_a_schema_change_is_seen_in_every_record():
    with serving("schema_change@10:00+10m") as served:
        bars, quotes = served.at(35).bars(), served.quotes()
        assert (bars.accepted.height, quotes.accepted.height) == (0, 0)
        assert set(codes(bars)) == set(codes(quotes)) == {"REQUIRED"}
        assert codes(served.at(40).bars()) == []


@pytest.mark.parametrize(
    ("fault", "rejected", "duplicate"),
    [
        ("duplicates@10:00+30m:2", 0, "twice"),
        ("late_prints@10:00+30m:60", 0, 0),
        ("stale_feed@10:00+30m", 0, 0),
        ("bad_records@10:00+30m:1", "all", 0),
        ("schema_change@10:00+30m", "all", 0),
    ],
)
def test_faults_of_executions(tmp_path, fault, rejected, duplicate):
    good = dropped(tmp_path / "good", DropStyle.RENAME)
    start_us = MONDAY.open_us + 1_800_000_000
    inside = good.accepted.filter(
        good.accepted["timestamp"].is_between(start_us, start_us + 1_799_999_999)
    ).height
    outcome = dropped(tmp_path / "faulty", DropStyle.RENAME, f"executions.{fault}")
    counts = {"all": inside, "twice": 2 * inside, 0: 0}
    assert inside > 20
    assert len(codes(outcome)) == counts[rejected]
    assert outcome.duplicate == counts[duplicate]
    assert outcome.accepted.height == good.accepted.height - counts[rejected]


def test_a_torn_last_line_is_completed_later(tmp_path):
    """Nobody can tell a torn line from a bad one before the file has grown."""
    torn = dropped(tmp_path / "day", DropStyle.GROWING, minutes=203)
    assert len(codes(torn)) == 1
    whole = dropped(tmp_path / "day", DropStyle.GROWING)
    assert codes(whole) == []
    assert whole.accepted.height == FILLS


def test_a_backfill_gets_every_bar():
    """One request a session and symbol: first every bar is made on the way, then it comes from the cache."""
    sessions = CALENDAR.sessions_between(date(2025, 12, 15), date(2025, 12, 31))
    wanted = list(product([session.day.isoformat() for session in sessions], TICKERS[:20]))
    rates = []
    with serving(tickers=TICKERS[:20]) as served, httpx2.Client(params={"apiKey": "simulator"}) as client:
        served.at(390)
        for _ in range(2):
            started_s, count = time.perf_counter(), 0
            for day, ticker in wanted:
                url = served.simulation.bars_url(ticker.symbol, day, day)
                count += client.get(url).content.count(b'{"v"')
            rates.append(count / (time.perf_counter() - started_s))
            assert count == sum(int(session.open_minutes) for session in sessions) * 20
    print(f"bars per second, client included: made {rates[0]:,.0f}, cached {rates[1]:,.0f}")


@contextmanager
def simulate(*arguments: str, hash_seed: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, playing Monday from 10:00."""
    options = ("--seed", "7", "--date", "2026-01-05", "--start", "10:00", "--speed", "1x", *arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "dataspine", "simulate", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    _, narration = process.communicate(timeout=20)
    assert (process.returncode, narration.splitlines()[-1]) == (0, "stopped")


def friday_and_before(origin: str) -> bytes:
    url = f"{origin}/v2/aggs/ticker/KO/range/1/minute/2025-12-30/2026-01-02"
    return httpx2.get(url, params={"apiKey": "simulator"}).raise_for_status().content


def test_the_command_announces_serves_and_stops(tmp_path):
    """In another process, under another hash seed and beside other symbols, the same bytes."""
    folder, truth = tmp_path / "drop", tmp_path / "truth.jsonl"
    drop = ("--drop-dir", str(folder), "--drop-style", "growing")
    fault = ("--fault", "quotes.server_errors@10:00+1h:503", "--ground-truth", str(truth))
    with simulate("--json", *drop, *fault, hash_seed="1") as process, serving() as served:
        announced = json.loads(process.stdout.readline())
        assert announced["sessions"] == ["2026-01-05"]
        assert announced["simulated_at"].startswith("2026-01-05T15:00:")
        assert httpx2.get(announced["quotes_url"]).status_code == 503
        assert friday_and_before(announced["origin"]) == friday_and_before(served.simulation.origin)
        assert (folder / "executions_20260105.csv").read_bytes().startswith(b"trade_id,")
        stop(process, signal.SIGINT)
    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["planned", "played"]


def test_people_are_told_the_addresses():
    with simulate("--fault", "hang@15:00", hash_seed="2") as process:
        told = dict(process.stdout.readline().split(maxsplit=1) for _ in range(7))
        assert httpx2.get(told["quotes"].strip()).json()["AAPL"]["quote"]["symbol"] == "AAPL"
        assert told["fault"] == "hang 2026-01-05T20:00:00Z to 2026-01-05T20:02:00Z\n"
        assert told["time"].startswith("2026-01-05T15:00:")
        stop(process, signal.SIGTERM)


def test_a_taken_port_is_the_operators_to_mend():
    with serving() as served:
        port = int(served.simulation.origin.rpartition(":")[2])
        with pytest.raises(RequestError, match="--port 0"), serving(port=port):
            pytest.fail("two servers on one port")


def test_a_drop_that_fails_ends_the_simulation(tmp_path):
    """A full disk, say; here the folder goes away."""
    folder = tmp_path / "drop"
    with serving(drop=DropPlan(folder)) as served:
        folder.rmdir()
        served.at(60)
        assert served.simulation.stopped.wait(timeout=10)
        assert "cannot be dropped" in str(served.simulation.failures[0])
