"""One canonical field of a chunk of records, and the judgements on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from dataspine.schemas.codes import Code


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement of a whole column."""

    field: str
    code: Code
    template: str
    """Message; `{field}` and `{}` (what was found) are filled per record."""
    violated: pl.Series
    """(n,) Boolean, no nulls."""
    found: pl.Series | None = None
    """(n,) String of what to show; None when the message shows nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """A canonical field as text found and as value kept."""

    found: pl.Series
    """(n,) String, null where the vendor sent nothing: what messages show."""
    value: pl.Series
    """(n,) canonical value, null where there is none or the text is at fault."""
    checks: tuple[Check, ...] = ()
    """Faults of form, found while the text became a value."""
    is_constant: bool = False
    """Every record has the same value, by declaration."""
