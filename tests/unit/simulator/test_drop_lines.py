"""Lines of executions: when each is delivered, and what faults make of it."""

from __future__ import annotations

import pytest

from dataspine.simulator.drop_lines import HEADER, DropLine, drop_lines, file_bytes
from dataspine.simulator.market import market
from tests.unit.simulator.market_under_test import MONDAY, SEED, at, plan, schedule

EXECUTIONS = market(SEED, plan().tickers, MONDAY).executions
GOOD = drop_lines(EXECUTIONS, schedule())


def lines(*faults: str) -> tuple[DropLine, ...]:
    return drop_lines(EXECUTIONS, schedule(*faults))


def between(found: tuple[DropLine, ...], start: str, end: str) -> list[DropLine]:
    return [line for line in found if at(start) <= line.traded_us < at(end)]


def test_a_line_has_the_columns_of_the_header():
    assert {len(line.fields) for line in GOOD} == {len(HEADER.split(","))}
    first = EXECUTIONS[0]
    assert GOOD[0].fields[:3] == (first.trade_id, first.client_id, first.symbol)
    assert float(GOOD[0].fields[5]) * 100 == pytest.approx(first.price_cents)


def test_a_line_is_delivered_when_it_is_filled():
    assert [line.at_us for line in GOOD] == [execution.at_us for execution in EXECUTIONS]


def test_a_file_is_its_header_and_lines():
    assert file_bytes(()) == f"{HEADER}\n".encode()
    assert file_bytes(GOOD[:2]) == f"{HEADER}\n{GOOD[0].text}\n{GOOD[1].text}\n".encode()


def test_copies_follow_their_line():
    found = lines("executions.duplicates@10:00+5m:2")
    copied = between(found, "10:00", "10:05")
    assert len(copied) == 3 * len(between(GOOD, "10:00", "10:05")) > 3
    assert len(found) == len(GOOD) + len(copied) * 2 // 3
    assert copied[0] == copied[1] == copied[2]


def test_late_prints_come_later_and_out_of_order():
    found = lines("executions.late_prints@10:00+5m:15")
    late = between(found, "10:00", "10:05")
    assert late
    assert all(line.at_us == line.traded_us + 15 * 60_000_000 for line in late)
    assert [line.traded_us for line in found] != sorted(line.traded_us for line in found)
    assert [line.at_us for line in found] == sorted(line.at_us for line in found)
    assert {line.text for line in found} == {line.text for line in GOOD}


def test_bad_records_are_broken_in_turn():
    broken = between(lines("executions.bad_records@10:00+1h:3"), "10:00", "11:00")
    flawed = [line.fields for line in broken if line.faults][:5]
    assert [line.trade_id for line in broken if line.faults] == [line.trade_id for line in broken[::3]]
    assert flawed[0][5].startswith("-")
    assert flawed[1][5] == "N/A"
    assert flawed[2][5] == ""
    assert flawed[3][4].startswith("-")
    assert flawed[4][6] == "0000-00-00T00:00:00Z"


def test_a_stale_feed_holds_lines_back_until_its_end():
    found = lines("executions.stale_feed@10:00+10m")
    assert {line.at_us for line in between(found, "10:00", "10:10")} == {at("10:10")}
    assert [line.text for line in found] == [line.text for line in GOOD]


def test_a_schema_change_adds_a_field_to_what_is_delivered_meanwhile():
    found = lines("executions.schema_change@10:00+10m")
    assert {line.fields[-1] for line in between(found, "10:00", "10:10")} == {"USD"}
    assert {len(line.fields) for line in between(found, "10:10", "16:00")} == {10}


def test_faults_add_up():
    """A late line keeps its own time, so that a second fault of records still finds it."""
    found = lines("executions.late_prints@10:00+5m:60", "executions.duplicates@10:00+5m")
    late = between(found, "10:00", "10:05")
    assert len(late) == 2 * len(between(GOOD, "10:00", "10:05"))
    assert all(len(line.faults) == 2 for line in late)
