"""Writes the reference pages that are made of code: `python docs/build_reference.py [--check]`."""

from __future__ import annotations

import ast
import sys
from inspect import getsource
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

from database_page import database_page
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from dataspine import config, errors
from dataspine.schemas import source

REFERENCE = Path(__file__).parent / "reference"
TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("[sources.NAME]", source.SourceProfile),
    ("[sources.NAME.fields] name = { … }", source.FieldMap),
    ("[sources.NAME.csv]", source.CsvShape),
    ("[sources.NAME.json]", source.JsonShape),
    ("[sources.NAME.symbology]", source.Symbology),
    ("[sources.NAME.contract]", source.ContractLimits),
    ("[sources.NAME.http]", source.HttpSettings),
    ("[sources.NAME.retry]", source.RetrySettings),
    ("[sources.NAME.rate]", source.RateSettings),
)

CONFIG_HEAD = """\
# Configuration

Written by `python docs/build_reference.py` from `dataspine/schemas/source.py` and `dataspine/config.py`.

A workspace is configured by `dataspine.toml`; `dataspine init` writes one with every key commented. Over it go the
lines of `.env` beside it, and over those the environment: `DATASPINE_SOURCES__DESK_BARS__PATH=drop/*.csv` sets
`path` in `[sources.desk_bars]` (two underscores go one table down). An unknown key, a missing one and a wrong value
are errors that name the file, the key, the line and the cure; nothing is guessed.

Secrets are never values: a header or query parameter says `env:NAME` or `file:PATH`. A secret's file must have mode
0600. What is resolved appears in no log, audit event, error or stored profile.

## Whole file

| key | default | meaning |
|---|---|---|
"""

TIME_NOTE = """
### Time

A time is read by what the profile declares: `unit` for epoch counts, `format = "iso"` or a strptime format for text,
`zone` wherever the text carries no offset, `day` with `unit` for counts since local midnight. Texts in another form
are TIMESTAMP_FORMAT letters; local times that do not exist or exist twice are TIMESTAMP_LOCAL letters unless `fold`
says which is meant. Digits finer than a microsecond are cut off.
"""

ERRORS_HEAD = """\
# Errors

Written by `python docs/build_reference.py` from `dataspine/errors.py`.

A bad record is no error but a dead letter (see [contracts](contracts.md)). An error is an attempt that failed. Its
text says what is wrong, what was found, where, and the cure; its class decides the exit code and whether trying again
can help.

| error | exit code | try again | meaning |
|---|---|---|---|
"""


def pages() -> dict[Path, str]:
    """Every page that is made of code."""
    return {
        REFERENCE / "config.md": config_page(),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "database.md": database_page(),
    }


def config_page() -> str:
    """Every key of `dataspine.toml`."""
    settings = _rows(config.Settings, skip=("home", "file"))
    parts = [CONFIG_HEAD + settings]
    for title, model in TABLES:
        parts.append(
            f"## `{title}`\n\n{(model.__doc__ or '').strip()}\n\n| key | default | meaning |\n|---|---|---|\n"
        )
        parts.append(_rows(model, skip=("name",) if model is source.SourceProfile else ()))
        if model is source.FieldMap:
            parts.append(TIME_NOTE)
    return "\n".join(part.rstrip("\n") + "\n" for part in parts).replace(
        "|---|---|---|\n\n", "|---|---|---|\n"
    )


def errors_page() -> str:
    """Every exception and its exit code."""
    rows = [
        f"| `{name}` | {kind.exit_code} | {'yes' if kind.transient else 'no'} | {first_line(kind)} |"
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.DataspineError)
    ]
    return ERRORS_HEAD + "\n".join(rows) + "\n"


def first_line(kind: type[Any]) -> str:
    """The first line of a class's docstring."""
    return (kind.__doc__ or "").splitlines()[0]


def attribute_docs(model: type[Any]) -> dict[str, str]:
    """The text under each attribute of a class body."""
    body = ast.parse(dedent(getsource(model))).body[0].body  # type: ignore[attr-defined]
    found = {}
    for statement, following in pairwise(body):
        is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and is_text:
            found[statement.target.id] = " ".join(str(following.value.value).split())
    return found


def _rows(model: type[BaseModel], *, skip: tuple[str, ...]) -> str:
    docs = attribute_docs(model)
    lines = []
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        lines.append(
            f"| `{field.alias or name}` | {_default(field.default)} | {docs[name].replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ((), {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> int:
    """Write the pages, or with `--check` say which differ."""
    check = "--check" in sys.argv[1:]
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(("differs: " if check else "wrote ") + str(path))
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
