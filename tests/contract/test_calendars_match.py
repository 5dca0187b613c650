"""Every session that is shipped, against exchange_calendars itself; runs where that is installed."""

from __future__ import annotations

import importlib.util
import warnings
from datetime import date

import pytest

from dataspine.calendars.generate import BY_RULE, generate
from dataspine.calendars.shipped import CALENDARS, shipped_calendar

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("exchange_calendars") is None,
    reason="exchange_calendars is in the extra `calendars`",
)
EXCHANGES = [name for name in CALENDARS if not name.startswith("24/")]


def published_sessions(name: str, first: date, last: date) -> list[tuple[object, ...]]:
    """Date, open, close, break and half day of every session, in seconds, straight from the library."""
    # Its own warnings are of what a later pandas will change.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars

        found = exchange_calendars.get_calendar(name, start=str(first), end=str(last))
        irregular = set(found.early_closes) | set(found.late_opens)
        return [
            (
                label.date(),
                found.session_open(label).timestamp(),
                found.session_close(label).timestamp(),
                None if not found.session_has_break(label) else found.session_break_start(label).timestamp(),
                None if not found.session_has_break(label) else found.session_break_end(label).timestamp(),
                label in irregular,
            )
            for label in found.sessions
        ]


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_shipped_session_is_as_published(name):
    """To repair: `dataspine sessions refresh --out dataspine/calendars/sessions`, and read what differs."""
    shipped = shipped_calendar(name)
    ours = [
        (day, *(None if edge is None else edge / 1e6 for edge in edges), is_half)
        for day, *edges, is_half in shipped.sessions
    ]
    assert ours == published_sessions(name, shipped.first_day, shipped.last_day)


@pytest.mark.parametrize("name", EXCHANGES)
def test_generating_again_gives_the_same_version(name):
    shipped = shipped_calendar(name)
    again = generate(name, shipped.first_day, shipped.last_day)
    assert again.version == shipped.version
    assert again.made_by == shipped.made_by != BY_RULE
