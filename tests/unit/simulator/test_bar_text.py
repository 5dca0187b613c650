"""Rendered bars: the numbers of the frame exactly, cut anywhere, kept within a limit."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from dataspine.simulator.bar_text import BarTextCache, bar_texts
from dataspine.simulator.bars import bars
from tests.unit.simulator.market_under_test import FEW, MONDAY, SEED, TUESDAY

FRAME = bars(SEED, FEW, [MONDAY])
TEXT = bar_texts(FRAME)["AAPL", MONDAY.day]


def test_the_text_has_the_numbers_of_the_frame():
    read = json.loads(b"[" + TEXT.text + b"]", parse_float=Decimal)
    rows = list(FRAME.head(390).iter_rows(named=True))
    assert len(read) == 390
    for bar, row in zip(read, rows, strict=True):
        cents = [row[name] for name in ("open_cents", "close_cents", "high_cents", "low_cents")]
        assert [bar[key] * 100 for key in "ochl"] == cents
        assert bar["vw"] * 10_000 == row["vwap_pips"]
        assert (bar["v"], bar["n"], bar["t"] * 1_000) == (row["volume"], row["trades"], row["start_us"])


@pytest.mark.parametrize(("first", "end"), [(0, 0), (0, 1), (0, 390), (1, 2), (388, 390), (389, 390), (7, 7)])
def test_a_piece_is_whole_objects(first, end):
    whole = json.loads(b"[" + TEXT.text + b"]")
    assert json.loads(b"[" + TEXT.piece(first, end) + b"]") == whole[first:end]


def test_a_range_of_time_includes_its_start_and_not_its_end():
    starts = TEXT.starts_us
    assert TEXT.between(starts[3], starts[5]) == (3, 5)
    assert TEXT.between(starts[3] + 1, starts[5] + 1) == (4, 6)
    assert TEXT.between(starts[5], starts[3]) == (5, 5)
    assert TEXT.between(0, starts[0]) == (0, 0)


def test_the_cache_gives_what_rendering_gives():
    cache = BarTextCache(SEED, FEW)
    for _ in range(2):
        found = cache.texts("MSFT", [MONDAY, TUESDAY])
        assert [text.text for text in found] == [
            bar_texts(bars(SEED, FEW, [session]))["MSFT", session.day].text for session in (MONDAY, TUESDAY)
        ]


def test_a_symbol_that_is_not_traded_has_no_texts():
    assert BarTextCache(SEED, FEW).texts("ZZZ", [MONDAY]) == []


def test_the_cache_stays_within_its_limit():
    """Three symbols of a session take three times the limit's half; what was asked for is still given."""
    cache = BarTextCache(SEED, FEW, max_bytes=TEXT.size_bytes * 2)
    for session in (MONDAY, TUESDAY, MONDAY):
        for ticker in FEW:
            (text,) = cache.texts(ticker.symbol, [session])
            assert text.text == bar_texts(bars(SEED, [ticker], [session]))[ticker.symbol, session.day].text
            assert cache._size_bytes <= TEXT.size_bytes * 2
            assert cache._size_bytes == sum(kept.size_bytes for kept in cache._texts.values())
