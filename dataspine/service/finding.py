"""A finding of `doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    code: str
    what: str
    cure: str
    is_corruption: bool = False
    """Stored bytes are damaged or gone; nothing should be written before somebody has looked."""


def named(things: Sequence[object]) -> str:
    """How many, and the first three by name."""
    first = ", ".join(str(thing) for thing in things[:NAMED_MAX])
    more = len(things) - NAMED_MAX
    return f"{first} and {more} more" if more > 0 else first
