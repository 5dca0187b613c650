"""The reference page names every fault with its vendors, time and number as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataspine.simulator.faults import FAULT_KINDS, FaultKind, FaultName
from dataspine.simulator.flaws import Flaw

PAGE = (Path(__file__).parents[3] / "docs/reference/simulator.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<rest>.*) \|$", re.MULTILINE)


def row(name: FaultName, kind: FaultKind) -> str:
    """The line of the page's table that a fault should have."""
    number = f"{kind.parameter}, {kind.least} to {kind.most}; {kind.default}" if kind.parameter else "none"
    vendors = ", ".join(kind.vendors)
    length = f"{kind.duration_s // 60}m"
    return f"| `{name}` | {vendors} | {kind.window} | {length} | {number} | {kind.meaning} |"


def test_the_page_has_each_fault_once_and_no_other():
    section = PAGE.partition("\n## Faults\n")[2].partition("\n## ")[0]
    assert [found["name"] for found in ROW.finditer(section)] == [str(name) for name in FaultName]


@pytest.mark.parametrize("name", FaultName)
def test_a_fault_is_described_as_it_is(name):
    assert row(name, FAULT_KINDS[name]) in PAGE.splitlines()


def test_every_flaw_is_named():
    listed = re.search(r"five flaws in turn: (.*?)\.", PAGE, re.DOTALL)
    assert listed
    assert re.findall(r"`([a-z_]+)`", listed[1]) == [str(flaw) for flaw in Flaw]
