"""The schedule of faults: who has which, and when it begins and ends."""

from __future__ import annotations

import pytest

from dataspine.simulator.faults import FAULT_KINDS, FaultName, PlannedFault, Vendor, Window
from dataspine.simulator.flaws import Flaw, flaw_of
from tests.unit.simulator.market_under_test import at, schedule


def fault(name: FaultName = FaultName.HANG, *, parameter: int = 1) -> PlannedFault:
    return PlannedFault(name, 1_000_000, 2, parameter, FAULT_KINDS[name].vendors)


def test_every_name_has_a_kind():
    assert set(FAULT_KINDS) == set(FaultName)


@pytest.mark.parametrize("name", FaultName)
def test_a_kind_is_consistent(name):
    """A number has a meaning and its default lies in its range; a kind without a number has none."""
    kind = FAULT_KINDS[name]
    assert kind.vendors
    assert kind.duration_s > 0
    if kind.parameter:
        assert kind.least <= kind.default <= kind.most
    else:
        assert (kind.default, kind.least, kind.most) == (0, 0, 0)


@pytest.mark.parametrize(
    ("instant_us", "is_covered"), [(999_999, False), (1_000_000, True), (2_999_999, True), (3_000_000, False)]
)
def test_a_fault_covers_its_start_and_not_its_end(instant_us, is_covered):
    assert fault().covers(instant_us) is is_covered


@pytest.mark.parametrize(
    ("start_us", "end_us", "is_touched"),
    [
        (0, 1_000_000, False),
        (0, 1_000_001, True),
        (2_999_999, 9_000_000, True),
        (3_000_000, 9_000_000, False),
    ],
)
def test_a_fault_touches_what_shares_an_instant(start_us, end_us, is_touched):
    assert fault().touches(start_us, end_us) is is_touched


def test_faults_are_found_by_vendor_window_and_instant():
    planned = schedule("aggs.hang@10:00+1m", "server_errors@10:00+1m", "bad_records@10:00+1m")
    assert [each.name for each in planned.at(Vendor.AGGS, at("10:00"))] == ["hang", "server_errors"]
    assert [each.name for each in planned.at(Vendor.QUOTES, at("10:00"))] == ["server_errors"]
    assert planned.at(Vendor.EXECUTIONS, at("10:00")) == ()
    assert planned.at(Vendor.AGGS, at("10:01")) == ()
    (bad,) = planned.on_records(Vendor.EXECUTIONS, at("09:00"), at("10:00:01"))
    assert bad.kind.window is Window.RECORD


def test_a_stale_vendor_stands_at_the_faults_start():
    planned = schedule("quotes.stale_feed@10:00+5m")
    assert planned.seen_us(Vendor.QUOTES, at("10:04:59")) == (at("10:00"), planned.faults[0])
    assert planned.seen_us(Vendor.QUOTES, at("10:05")) == (at("10:05"), None)
    assert planned.seen_us(Vendor.AGGS, at("10:04")) == (at("10:04"), None)


def test_flaws_come_in_turn_and_every_so_many_records():
    bad = fault(FaultName.BAD_RECORDS, parameter=2)
    found = [flaw_of(bad, ordinal) for ordinal in range(12)]
    assert found[::2] == [*Flaw, Flaw.NEGATIVE_PRICE]
    assert found[1::2] == [None] * 6
