"""What a command prints: one JSON document or text for people on stdout, narration on stderr.

A noun's file uses it so:

    @app.command("list")
    def list_letters(context: typer.Context, as_json: JsonOption = False) -> None:
        letters = page_of_letters(desk_of(context))                        # dataspine.cli.desk
        emit(as_json, document_of(letters), lambda: table("Dead letters", ["id", "source"], rows_of(letters)))

Every text goes through `inert_text` on its way to a terminal, so no vendor's byte acts there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataspine.clock import iso_from_us, us_from_datetime
from dataspine.errors import DataspineError
from dataspine.inert_text import inert_text

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
"""The option that every command has."""

WIDTH = 80
"""Columns of text that does not go to a terminal, and at least of text that does."""
_CELL_CHARS = 400
_TEXT_CHARS = 100_000
_INSTANT = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?$")
_NUMBER = re.compile(r"^[+-]?[0-9][0-9,]*(\.[0-9]+)?%?$")


def emit(as_json: bool, document: Mapping[str, object], render: Callable[[], None]) -> None:
    """Print the document as JSON, or let `render` print it for people.

    Keys are snake_case; datetimes become ISO 8601 UTC, Decimals become strings. Raises: TypeError for anything else
    that JSON does not have, and for a key that is no text.
    """
    if as_json:
        sys.stdout.write(json_text(document, indent=2) + "\n")
    else:
        render()


def emit_line(document: Mapping[str, object]) -> None:
    """Print a document as one line, for a command that goes on and on."""
    sys.stdout.write(json_text(document, indent=None) + "\n")
    sys.stdout.flush()


def json_text(document: Mapping[str, object], *, indent: int | None) -> str:
    """The document as ASCII JSON; control characters and lone surrogates are escaped."""
    return json.dumps(document, indent=indent, ensure_ascii=True, allow_nan=False, default=_json_value)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table that fits the terminal, 80 columns elsewhere; long cells fold, columns of numbers stand right.

    A cell is any value; None is left blank.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    texts = [[_cell(value) for value in row] for row in rows]
    console = _console()
    natural_width = sum(max(len(cell) for cell in column) for column in zip(columns, *texts, strict=True))
    gap = 1 if natural_width + 2 * (len(columns) - 1) <= console.width else 0
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap, 0, 0), pad_edge=False)
    for number, name in enumerate(columns):
        cells = [row[number] for row in texts if row[number]]
        is_numeric = _all_match(_NUMBER, cells)
        grid.add_column(
            Text(inert_text(name), style="bold"),
            justify="right" if is_numeric else "left",
            overflow="fold",
            no_wrap=is_numeric or _all_match(_INSTANT, cells),
        )
    for row in texts:
        grid.add_row(*(Text(cell) for cell in row))
    console.print(Text(inert_text(title), style="bold"))
    console.print(grid)


def say(text: str = "") -> None:
    """Print text for people on stdout, folded at the terminal's width."""
    from rich.text import Text

    _console().print(Text(inert_text(text, multiline=True, limit=_TEXT_CHARS)), soft_wrap=False)


def say_line(text: str) -> None:
    """Print one line for people on stdout at once, however long it is."""
    sys.stdout.write(inert_text(text, limit=_TEXT_CHARS) + "\n")
    sys.stdout.flush()


def narrate(text: str) -> None:
    """Say on stderr what is going on."""
    sys.stderr.write(inert_text(text, multiline=True, limit=_TEXT_CHARS) + "\n")
    sys.stderr.flush()


def narrate_error(error: DataspineError) -> None:
    """Say on stderr what, found and where on one line, and the cure on the next."""
    cure = error.cure or ("Try again." if error.transient else "See docs/reference/exit_codes.md.")
    what = DataspineError(error.what, found=error.found, where=error.where)
    narrate(f"error: {_one_line(str(what))}")
    narrate(f"       {_one_line(cure)}")


def count(number: int) -> str:
    """A counter with its thousands set apart."""
    return f"{number:,}"


def _console() -> Console:
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else WIDTH
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def _one_line(text: str) -> str:
    return inert_text(text, limit=_TEXT_CHARS)


def _all_match(pattern: re.Pattern[str], cells: Sequence[str]) -> bool:
    return bool(cells) and all(pattern.match(cell) for cell in cells)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = iso_from_us(us_from_datetime(value)) if isinstance(value, datetime) else str(value)
    return inert_text(text, limit=_CELL_CHARS)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_from_us(us_from_datetime(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")
