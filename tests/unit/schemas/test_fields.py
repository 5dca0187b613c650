"""The rules of single values: canonical numbers, what a message shows, and the traps in Python's own readings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dataspine.schemas.fields import canonical_number, datetime_from_iso, found_text, number_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("1.10", "1.1"),
        ("0010", "10"),
        ("1e2", "100"),
        ("1e-2", "0.01"),
        ("-0.00", "-0"),
        ("12e-1", "1.2"),
    ],
)
def test_a_number_has_one_canonical_text(text: str, expected: str) -> None:
    assert canonical_number(text) == expected


@pytest.mark.parametrize("text", ["9" * 21, "1e20", "1e-19", "1e5000000", "9" * 5000, "-" + "9" * 500])
def test_too_many_digits_are_told_from_no_number(text: str) -> None:
    """Judged on the text: arithmetic on `1e5000000` takes minutes."""
    assert canonical_number(text) is None


@pytest.mark.parametrize(
    "text", ["", "x", "1\n", "١٥٠", "１５０", "1_000", "NaN", "Infinity", "+1", "1.", ".1", "0x1", "1 "]
)
def test_what_python_would_take_for_a_number_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical_number(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, "0.1"), (Decimal("1.50"), "1.50"), (5, "5"), ("x", "x")]
)
def test_a_python_number_counts_as_the_text_that_names_it(value: object, expected: str) -> None:
    assert number_text(value, "price") == expected


@pytest.mark.parametrize("value", [True, None, b"1", [1], 10**500])
def test_what_has_no_number_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="price"):
        number_text(value, "price")


def test_a_message_shows_eighty_characters() -> None:
    assert found_text("x" * 80) == "x" * 80
    assert found_text("x" * 81) == "x" * 80 + "…"


def test_a_message_can_always_be_encoded() -> None:
    """Half of a surrogate pair stops every encoder."""
    assert found_text("a\ud800é") == "a\\ud800é"


@pytest.mark.parametrize(
    "text", ["2026-01-09Z", "2026-01-09+05:30", "20260109", "2026-W02-5", "2026-01-09T10:00:00Z\n"]
)
def test_python_reads_more_than_our_iso(text: str) -> None:
    """`fromisoformat` takes `2026-01-09+05:30` for half past five."""
    with pytest.raises(ValueError, match="ISO 8601"):
        datetime_from_iso(text, "timestamp")
