"""What is wrong with a record of the fault `bad_records`: five flaws in turn."""

from __future__ import annotations

from enum import StrEnum

from dataspine.simulator.faults import PlannedFault


class Flaw(StrEnum):
    """One way to break the contract."""

    NEGATIVE_PRICE = "negative_price"
    WORD_PRICE = "word_price"
    NO_PRICE = "no_price"
    NEGATIVE_VOLUME = "negative_volume"
    NO_TIME = "no_time"


WORD = "N/A"
"""What stands where a number belongs."""
_FLAWS = tuple(Flaw)


def flaw_of(fault: PlannedFault, ordinal: int) -> Flaw | None:
    """The flaw of the record with this ordinal (from 0) within the fault, or None if it stays good."""
    turn, rest = divmod(ordinal, fault.parameter)
    return None if rest else _FLAWS[turn % len(_FLAWS)]
