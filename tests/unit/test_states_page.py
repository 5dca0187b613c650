"""The page of states names every state with the meaning that the code gives it."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from dataspine.schemas.job import JobState, OccurrenceState, SliceState, SourceState

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/states_and_exit_codes.md"
SECTIONS = [
    ("Jobs", JobState),
    ("Slices", SliceState),
    ("Sources", SourceState),
    ("Fires of a schedule", OccurrenceState),
]


def meanings(name: str) -> dict[str, str]:
    """The text under each member of an enumeration."""
    tree = ast.parse((ROOT / "dataspine/schemas/job.py").read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    pairs = itertools.pairwise(body)
    return {
        node.value.value: " ".join(after.value.value.split())
        for node, after in pairs
        if isinstance(node, ast.Assign)
    }


@pytest.mark.parametrize(("title", "states"), SECTIONS)
def test_every_state_stands_on_the_page_with_its_meaning(title, states) -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^## {title}$(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert section
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section[1], re.MULTILINE))
    assert shown == meanings(states.__name__)
    assert list(shown) == [str(state) for state in states]
