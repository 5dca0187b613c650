"""`dataspine doctor`: what is wrong with the workspace, and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit, say

if TYPE_CHECKING:
    from dataspine.service.doctor import CheckUp

FINDINGS, CORRUPT = 1, 5


def register(app: typer.Typer) -> None:
    """Add `doctor`."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every stored byte, and judge every payload again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong with the workspace, change nothing.

    Exit code 0 when all is well, 1 with findings, 5 when stored bytes are damaged or gone.
    """
    from dataspine.service.doctor import check_up

    found = check_up(desk_of(context), deep=deep)
    emit(as_json, _document(found), lambda: _print_check_up(found))
    if not found.ok:
        raise typer.Exit(CORRUPT if found.is_corrupt else FINDINGS)


def _document(found: CheckUp) -> dict[str, object]:
    findings = [
        {"code": finding.code, "what": finding.what, "cure": finding.cure} for finding in found.findings
    ]
    return {"ok": found.ok, "deep": found.is_deep, "findings": findings, "facts": found.facts}


def _print_check_up(found: CheckUp) -> None:
    for finding in found.findings:
        say(f"{finding.code}: {finding.what}")
        say(f"  {finding.cure}")
    say(", ".join(f"{name} {value}" for name, value in found.facts.items()))
    say("All is well." if found.ok else f"{len(found.findings)} finding(s).")
