"""Foreign text made inert: no character of it can act on a terminal, hide, reorder its line, or run as a formula."""

from __future__ import annotations

import re
import unicodedata

LIMIT_CHARS = 4_096
"""Characters that a shown text has at most, unless the caller says otherwise."""
MARKS_MAX = 3
"""Combining marks shown on one character; living scripts need no more, and a stack of hundreds covers other lines."""
CUT = "\u2026"
"""Stands where something was left out."""

_CONTROL_PICTURES = 0x2400
_DELETE, _DELETE_PICTURE = 0x7F, "\u2421"
# Printable by their category, but drawn as nothing or as a blank: fillers, joiners and variation selectors.
_INVISIBLE = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)

FORMULA_PATTERN = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""Cells that a spreadsheet may run: a sign in ASCII or full width, or what is already set off by an apostrophe."""
PLAIN_NUMBER_PATTERN = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""Cells that start like a formula and are only a number; they stay."""
_FORMULA = re.compile(FORMULA_PATTERN)
_PLAIN_NUMBER = re.compile(PLAIN_NUMBER_PATTERN)


def inert_text(text: str, *, multiline: bool = False, limit: int = LIMIT_CHARS) -> str:
    r"""The text with everything that could act or deceive made visible, cut to `limit` characters.

    Controls become their pictures (ESC is U+241B); C1, bidi and zero-width characters, foreign blanks, line
    separators and lone surrogates become escapes such as `\u202e`. `multiline` lets line feeds through.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    room = limit
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks > MARKS_MAX + 1:
            continue
        piece = CUT if marks == MARKS_MAX + 1 else _shown(char, multiline=multiline)
        shown.append(piece)
        room -= len(piece)
        if room < 0:
            return _cut(shown, limit)
    return "".join(shown)


def inert_bytes(raw: bytes, *, multiline: bool = False, limit: int = LIMIT_CHARS) -> str:
    r"""Bytes as inert text: UTF-8 where they are, `\xff` where they are not."""
    # A character has at most four bytes, so this holds more than `limit` of them whenever there are more.
    head = raw[: 4 * limit + 4]
    return inert_text(head.decode("utf-8", "backslashreplace"), multiline=multiline, limit=limit)


def csv_safe_cell(text: str) -> str:
    """The text as a cell that no spreadsheet runs: an apostrophe before a formula's sign, plain numbers as they are.

    To read it back, drop one apostrophe from a cell that fits `FORMULA_PATTERN` and starts with one.
    """
    return f"'{text}" if _FORMULA.search(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def _shown(char: str, *, multiline: bool) -> str:
    code = ord(char)
    if char.isprintable() and code not in _INVISIBLE:
        return char
    if char == "\n" and multiline:
        return char
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cut(pieces: list[str], limit: int) -> str:
    """The pieces that fit with the mark of the cut; no escape is cut in half."""
    room = limit - len(CUT)
    kept: list[str] = []
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + CUT if limit > 0 else ""
