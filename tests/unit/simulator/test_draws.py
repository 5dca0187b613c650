"""Chance that a key decides: known numbers, and more of a key continue fewer of it."""

from __future__ import annotations

from dataspine.simulator.draws import SCALE, draw, draws


def test_numbers_of_a_key_are_known():
    """SHAKE-256 of `a`, two bytes a number: a change here is another market for every seed."""
    assert list(draws("a", 4)) == [32_390, 45_100, 23_119, 56_324]
    assert draw("a") == 32_390


def test_more_numbers_begin_with_fewer():
    assert draws("key", 100)[:7] == draws("key", 7)


def test_numbers_fill_the_scale_evenly():
    numbers = draws("even", 20_000)
    assert 0 <= min(numbers) < 50
    assert SCALE - 50 < max(numbers) < SCALE
    assert abs(sum(numbers) / len(numbers) / SCALE - 0.5) < 0.01
