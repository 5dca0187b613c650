"""Words of the command line as values, without pydantic, whose import takes longer than most commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

_PLAIN: dict[type, str] = {str: "text", int: "whole number", Path: "path", bool: "truth value"}
"""Types that are read here, and what an error calls them; Typer reads all others."""
_TRUTH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True, slots=True)
class PlainValue:
    """Reads one parameter; stands in for Typer's own reader."""

    kind: type
    low: float | None
    high: float | None

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value of what was typed, or of the default.

        Raises: typer.BadParameter.
        """
        is_many = param.multiple or param.nargs == -1
        if value is None:
            return () if is_many else None
        try:
            return [self._one(item) for item in value] if is_many else self._one(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error

    def _one(self, value: Any) -> Any:
        read: Callable[[Any], Any] = _truth if self.kind is bool else self.kind
        try:
            found: Any = value if isinstance(value, self.kind) else read(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not {self._expected()}.") from error
        if not self._is_inside(found):
            raise ValueError(f"{found} is not in the range {_range(self.low, self.high)}.")
        return found

    def _is_inside(self, found: Any) -> bool:
        return (self.low is None or found >= self.low) and (self.high is None or found <= self.high)

    def _expected(self) -> str:
        if issubclass(self.kind, Enum):
            return "one of " + ", ".join(str(member.value) for member in self.kind)
        return f"a {_PLAIN[self.kind]}"


def read_plainly(params: Iterable[Any]) -> None:
    """Give a command's parameters of plain types our reader; a parameter of another type keeps Typer's."""
    for param in params:
        descriptor = getattr(param, "type_descriptor", None)
        if descriptor is None:
            continue
        kind = _plain_kind(descriptor.annotation)
        if kind is not None:
            given = descriptor.parameter_info
            param._runtime_param = PlainValue(kind, given.min, given.max)  # noqa: SLF001 - Typer's only place for it


def _plain_kind(annotation: Any) -> type | None:
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    is_plain = isinstance(annotation, type) and (annotation in _PLAIN or issubclass(annotation, Enum))
    return annotation if is_plain else None


def _truth(word: Any) -> bool:
    try:
        return _TRUTH[str(word).lower()]
    except KeyError as error:
        raise ValueError(word) from error


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"up to {high}" if low is None else f"from {low}"
    return f"{low} to {high}"
