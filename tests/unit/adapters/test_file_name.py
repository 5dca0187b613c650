"""Which values `file_name` finds in a name, and which names it refuses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspine.adapters.file_name import values_from_name
from dataspine.errors import ConfigError, PayloadError


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        (
            "{day}_{symbol}_minute_trade.csv",
            "20131007_spy_minute_trade.csv",
            {"day": "20131007", "symbol": "spy"},
        ),
        ("{day}_{symbol}.csv", "2026/01/20260102_BRK_B.csv", {"day": "20260102", "symbol": "BRK_B"}),
        ("{symbol}.csv", "a.csv.csv", {"symbol": "a.csv"}),
        ("{a}{b}", "xyz", {"a": "x", "b": "yz"}),
        ("{a}-{b}-{c}", "--x-y--z", {"a": "-", "b": "x", "c": "y--z"}),
        ("quotes.csv", "drop/quotes.csv", {}),
        ("[{a}].{b}+", "[x].y+", {"a": "x", "b": "y"}),
        ("{{{a}}}.csv", "{x}.csv", {"a": "x"}),
    ],
)
def test_values_are_the_shortest_runs_that_let_the_rest_match(template, name, values):
    assert values_from_name(template, name) == values


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{day}_{symbol}.csv", "20260102.csv"),
        ("{day}_{symbol}.csv", "_AAPL.csv"),
        ("{day}_{symbol}.csv", "20260102_.csv"),
        ("{day}_{symbol}.csv", "20260102_AAPL.CSV"),
        ("{day}_{symbol}.csv", "20260102_AAPL.csv.bak"),
        ("x{symbol}.csv", "y.csv"),
        ("{symbol}.csv", ".csv"),
        ("{symbol}.csv", "AAPL.csv/"),
        ("{a}x{b}x", "1x"),
        ("quotes.csv", "quotes.csv2"),
        ("{symbol}_q", "_q"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_both_named(template, name):
    with pytest.raises(PayloadError) as caught:
        values_from_name(template, name)
    assert caught.value.code == "FILE_NAME"
    assert template in str(caught.value)
    assert name.rsplit("/", 1)[-1] in str(caught.value)


def test_a_hostile_name_is_shown_inert():
    with pytest.raises(PayloadError) as caught:
        values_from_name("{day}.csv", "\x1b[31m\u202egpj.exe")
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "template", ["{day", "day}", "{}", "{0}", "{a.b}", "{a!r}", "{a:>3}", "{a}_{a}", "{a b}"]
)
def test_a_wrong_template_is_the_operators_error(template):
    with pytest.raises(ConfigError, match="file_name is no template"):
        values_from_name(template, "x.csv")


@given(
    literals=st.lists(st.text("ab", max_size=2), min_size=2, max_size=4),
    name=st.text("abc", max_size=12),
)
def test_verdict_and_values_are_those_of_a_lazy_pattern(literals, name):
    """A non-greedy regular expression says the same, only not in bounded time."""
    names = [f"v{i}" for i in range(len(literals) - 1)]
    template = literals[0] + "".join(f"{{{n}}}{text}" for n, text in zip(names, literals[1:], strict=True))
    pattern = literals[0] + "".join(
        f"(?P<{n}>.+?){text}" for n, text in zip(names, literals[1:], strict=True)
    )
    expected = re.fullmatch(pattern, name)
    if expected is None:
        with pytest.raises(PayloadError):
            values_from_name(template, name)
    else:
        assert values_from_name(template, name) == expected.groupdict()
