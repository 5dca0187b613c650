"""The reference page lists the calendars that are shipped, with their bounds as they are."""

from __future__ import annotations

import re

from dataspine.calendars.shipped import CALENDARS, shipped_calendar
from tests.arch.source_tree import ROOT

PAGE = ROOT / "docs" / "reference" / "calendars.md"


def test_page_has_the_shipped_calendars() -> None:
    """To repair the page, paste the rows that this test prints as missing."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `") and line.count("|") == 8]
    shipped = [(shipped_calendar(name), exchange) for name, exchange in CALENDARS.items()]
    assert rows == [
        f"| `{found.name}` | {exchange} | {found.zone} | {found.first_day} | {found.last_day} |"
        f" {len(found.sessions)} | {sum(session.is_half_day for session in found.sessions)} |"
        for found, exchange in shipped
    ]


def test_code_of_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), {})  # noqa: S102 - our own page
