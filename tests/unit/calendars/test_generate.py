"""Generating by rule, without exchange_calendars, and the one module that may load it."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from dataspine.calendars.generate import generate
from dataspine.calendars.shipped import shipped_calendar
from dataspine.errors import RequestError
from tests.arch.source_tree import is_within, sources_of, uses_of

FIRST, LAST = date(2016, 1, 1), date(2027, 12, 31)


@pytest.mark.parametrize("name", ["24/7", "24/5"])
def test_calendars_by_rule_are_those_shipped(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    assert generate(name, FIRST, LAST) == shipped_calendar(name)
    assert generate(name, FIRST, LAST).made_by == "rule"


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(
        RequestError, match=r"needs exchange_calendars, got not installed.*dataspine\[calendars\]"
    ):
        generate("XNYS", FIRST, LAST)


def test_an_unknown_calendar_is_refused_before_anything_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(RequestError, match="there is no such calendar, got XLSE"):
        generate("XLSE", FIRST, LAST)


def test_one_module_loads_exchange_calendars():
    users = {
        source.module
        for source in sources_of("dataspine", "tui")
        for use in uses_of(source)
        if is_within(use.name, "exchange_calendars")
    }
    assert users == {"dataspine.calendars.generate"}
