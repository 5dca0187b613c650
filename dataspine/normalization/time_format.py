"""The texts that a profile's time format admits, since Polars' parser alone takes `2026109` for October 9."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_TOKEN = re.compile(r"\.%f|%\.[369]?f|%[369]f|%[-#:]?[A-Za-z%]|.", re.DOTALL)
_EXPANDED = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d"}
_DIGITS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%e": 2, "%j": 3, "%H": 2, "%I": 2, "%M": 2, "%f": 6}
"""Digits of a directive; one that stands between other characters may leave out leading zeros, but for the year."""
_OFFSET = r"(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
_OTHERS = {
    "%b": "[A-Za-z]+",
    "%B": "[A-Za-z]+",
    "%a": "[A-Za-z]+",
    "%A": "[A-Za-z]+",
    "%p": "[AaPp][Mm]",
    "%%": "%",
    ".%f": r"\.[0-9]{1,9}",
    "%.f": r"(\.[0-9]{1,9})?",
    "%3f": "[0-9]{3}",
    "%6f": "[0-9]{6}",
    "%9f": "[0-9]{9}",
    "%z": _OFFSET,
    "%#z": _OFFSET,
    "%:z": _OFFSET,
}
_PARSED_AS = {".%f": "%.f", "%f": "%6f", "%z": "%#z"}
"""Directives that Polars reads otherwise than Python: `%f` as nanoseconds, `%z` without `Z`."""


class TimeFormat(NamedTuple):
    """A format in Polars' words, and the texts that it admits."""

    polars: str
    pattern: str | None
    """Regular expression; None where a directive is unknown here, and Polars decides alone."""


@cache
def time_format(declared: str) -> TimeFormat:
    """The format that a profile declares, in strptime's words or chrono's."""
    for short, long in _EXPANDED.items():
        declared = declared.replace(short, long)
    tokens = _TOKEN.findall(declared)
    polars = "".join(_PARSED_AS.get(token, token) for token in tokens)
    patterns = [_pattern(tokens, place) for place in range(len(tokens))]
    if None in patterns:
        return TimeFormat(polars, None)
    return TimeFormat(polars, "^" + "".join(str(pattern) for pattern in patterns) + "$")


def _pattern(tokens: list[str], place: int) -> str | None:
    token = tokens[place]
    if token in _OTHERS:
        return _OTHERS[token]
    if not token.startswith("%"):
        return re.escape(token)
    touches = _is_number(tokens[place - 1 : place]) or _is_number(tokens[place + 1 : place + 2])
    if token == "%S":  # noqa: S105 - seconds, no secret
        return "[0-5][0-9]" if touches else "[0-5]?[0-9]"
    digits = _DIGITS.get(token)
    if digits is None:
        return None
    return f"[0-9]{{{digits}}}" if touches or token in ("%Y", "%f") else f"[0-9]{{1,{digits}}}"


def _is_number(neighbour: list[str]) -> bool:
    return bool(neighbour) and (neighbour[0] in _DIGITS or neighbour[0] == "%S")
