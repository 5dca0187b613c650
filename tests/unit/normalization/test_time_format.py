"""A format in Polars' words, and the texts that it admits."""

from __future__ import annotations

import re

import pytest

from dataspine.normalization.time_format import time_format


@pytest.mark.parametrize(
    ("declared", "right", "wrong"),
    [
        ("%Y%m%d", "20260109", "2026109"),
        ("%Y-%m-%d", "2026-1-9", "26-01-09"),
        ("%H%M%S", "093000", "93000"),
        ("%H:%M:%S", "9:30:00", "09:30:60"),
        ("%d %b %Y", "9 Jan 2026", "9 01 2026"),
        ("%I:%M %p", "9:30 pm", "9:30 xm"),
        ("%T.%f", "09:30:00.5", "09:30:00"),
        ("%H:%M:%S%.f", "09:30:00", "09:30:00,5"),
        ("%F%z", "2026-01-09+0530", "2026-01-09+5"),
        ("100%% %Y", "100% 2026", "100 2026"),
        ("(%Y)", "(2026)", "2026"),
    ],
)
def test_a_pattern_admits_what_the_format_says(declared: str, right: str, wrong: str) -> None:
    pattern = time_format(declared).pattern
    assert pattern is not None
    assert re.fullmatch(pattern, right)
    assert not re.fullmatch(pattern, wrong)


@pytest.mark.parametrize(
    ("declared", "polars"),
    [("%H:%M:%S.%f", "%H:%M:%S%.f"), ("%S%f", "%S%6f"), ("%z", "%#z"), ("%T", "%H:%M:%S")],
)
def test_python_directives_become_those_of_polars(declared: str, polars: str) -> None:
    assert time_format(declared).polars == polars


def test_an_unknown_directive_is_left_to_polars() -> None:
    assert time_format("%Y week %U").pattern is None
