"""The truth's file: bounded lines, appended, and an error where it cannot be written."""

from __future__ import annotations

import json

import pytest

from dataspine.clock import FrozenClock
from dataspine.errors import RequestError
from dataspine.simulator.faults import Vendor
from dataspine.simulator.ground_truth import MAX_KEYS, GroundTruth, Played
from tests.unit.simulator.market_under_test import schedule

PLANNED = schedule("duplicates@10:00", "hang@11:00")


def read(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_counts_every_record_and_names_some(tmp_path):
    file = tmp_path / "truth.jsonl"
    truth = GroundTruth(file, PLANNED, clock=FrozenClock(1_000_000))
    keys = tuple(f"T{number}" for number in range(MAX_KEYS + 1))
    truth.note([Played(PLANNED.faults[0], Vendor.EXECUTIONS, keys)], simulated_us=2_000_000, where="x.csv")
    *_, line = read(file)
    assert (line["records"], len(line["keys"])) == (MAX_KEYS + 1, MAX_KEYS)
    assert (line["at"], line["simulated_at"]) == ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z")


def test_a_second_start_appends(tmp_path):
    file = tmp_path / "truth.jsonl"
    for _ in range(2):
        GroundTruth(file, PLANNED, clock=FrozenClock(0))
    assert [line["fault"] for line in read(file)] == [1, 2, 1, 2]


def test_without_a_file_nothing_is_written():
    truth = GroundTruth(None, PLANNED, clock=FrozenClock(0))
    truth.note([Played(PLANNED.faults[1], Vendor.AGGS)], simulated_us=0, where="/")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(RequestError, match="gone"):
        GroundTruth(tmp_path / "gone" / "truth.jsonl", PLANNED, clock=FrozenClock(0))
