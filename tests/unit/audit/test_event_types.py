"""The reference page lists exactly the event types of the code, with the code's own words."""

from __future__ import annotations

from pathlib import Path

from dataspine.schemas.audit_event import EventType

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "audit_events.md"


def test_page_is_the_list_in_the_code() -> None:
    """To repair the page, paste the rows that this test prints as missing."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{kind}` | {kind.__doc__} |" for kind in EventType]


def test_every_type_is_explained_in_one_sentence() -> None:
    for kind in EventType:
        assert kind.__doc__
        assert kind.__doc__.endswith(".")
        assert str(kind) == kind.name.lower()
