"""Chance without a generator's state: numbers that a key alone decides, on every machine and in every version.

SHAKE-256 is a standard, so that nobody's release changes the market of a seed.
"""

from __future__ import annotations

import hashlib
import sys
from array import array

SCALE = 65_536
"""Every number drawn is a whole one from 0 to just below this."""


def draws(key: str, count: int) -> array[int]:
    """The first `count` numbers of a key."""
    numbers = array("H", hashlib.shake_256(key.encode()).digest(2 * count))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def draw(key: str) -> int:
    """The first number of a key."""
    return int.from_bytes(hashlib.shake_256(key.encode()).digest(2), "little")
