"""What becomes of a request: faults that take an answer whole, entity tags, the limit, and what is written down."""

from __future__ import annotations

import json

import pytest

from tests.unit.simulator.market_under_test import MONDAY, VendorsAt

QUOTES = "/stable/stock/market/batch"
BARS = f"/v2/aggs/ticker/AAPL/range/1/minute/{MONDAY.day}/{MONDAY.day}"
KEY = {"apiKey": "simulator"}


def test_no_other_path_is_served():
    assert VendorsAt().answer("/").status == 404


def test_a_storm_refuses_everything_while_it_lasts():
    vendors = VendorsAt("rate_limit_storm@10:00+1m:7")
    for path in (QUOTES, BARS):
        answer = vendors.answer(path, now="10:00:30", query=KEY)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert vendors.answer(path, now="10:01", query=KEY).status == 200


def test_a_fault_of_one_vendor_leaves_the_other_alone():
    vendors = VendorsAt("aggs.server_errors@10:00+1m:503")
    assert vendors.answer(BARS, now="10:00", query=KEY).status == 503
    assert vendors.answer(QUOTES, now="10:00").status == 200


def test_a_hang_has_no_answer():
    answer = VendorsAt("hang@10:00+1m:9").answer(QUOTES, now="10:00")
    assert answer.hang_s == 9


@pytest.mark.parametrize(("percent", "share"), [(50, 0.5), (0, 0), (99, 0.99)])
def test_a_truncated_body_states_its_whole_length(percent, share):
    vendors = VendorsAt(f"truncated_body@10:00+1m:{percent}")
    cut, whole = vendors.answer(QUOTES, now="10:00:00"), vendors.answer(QUOTES, now="09:59:59")
    assert cut.sent_bytes == int(len(cut.body) * share)
    assert (whole.sent_bytes, whole.status) == (None, 200)


def test_garbage_is_no_json_and_always_the_same():
    answers = [VendorsAt("garbage@10:00+1m:2").answer(QUOTES, now="10:00").body for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 2_048
    with pytest.raises(UnicodeDecodeError):
        json.loads(answers[0])


def test_of_two_faults_the_first_planned_is_played():
    vendors = VendorsAt("server_errors@10:00+2m", "rate_limit_storm@10:01+2m")
    assert [vendors.answer(QUOTES, now=now).status for now in ("10:01", "10:02")] == [500, 429]


def test_a_client_that_has_the_answer_is_told_so():
    vendors = VendorsAt()
    first = vendors.answer(BARS, query=KEY)
    again = vendors.answer(BARS, query=KEY, etag=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert vendors.answer(BARS, query=KEY, etag='"other"').status == 200


def test_new_bars_have_another_tag():
    vendors = VendorsAt()
    tags = [
        vendors.answer(BARS, now=now, query=KEY).headers["ETag"] for now in ("10:00", "10:00:59", "10:01")
    ]
    assert tags[0] == tags[1] != tags[2]


def test_a_refusal_has_no_tag():
    assert "ETag" not in VendorsAt().answer(BARS).headers


def test_each_vendor_has_its_own_limit():
    vendors = VendorsAt(requests_per_minute=2)
    answers = [vendors.answer(BARS, query=KEY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "30"
    assert vendors.answer(QUOTES).status == 200
    vendors.clock.advance_s(30)
    assert vendors.answer(BARS, query=KEY).status == 200


def test_what_is_played_is_written_down(tmp_path):
    file = tmp_path / "truth.jsonl"
    vendors = VendorsAt("aggs.duplicates@10:00+2m", "server_errors@11:00+1m", truth=file)
    vendors.bars(now="09:45")
    vendors.bars(now="10:30")
    vendors.answer(QUOTES, now="11:00")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["planned", "planned", "played", "played"]
    planned, _, played, failed = lines
    assert planned["start"] == "2026-01-05T15:00:00Z"
    assert planned["end"] == "2026-01-05T15:02:00Z"
    assert (played["fault"], played["vendor"], played["where"]) == (1, "aggs", BARS)
    assert played["keys"] == ["AAPL 2026-01-05T15:00:00Z", "AAPL 2026-01-05T15:01:00Z"]
    assert played["simulated_at"] == "2026-01-05T15:30:00Z"
    assert (failed["fault"], failed["name"], failed["records"]) == (2, "server_errors", 0)


def test_the_truth_names_no_key(tmp_path):
    file = tmp_path / "truth.jsonl"
    VendorsAt("server_errors@10:00+1m", truth=file).answer(BARS, now="10:00", query={"apiKey": "s3cret"})
    assert "s3cret" not in file.read_text()
