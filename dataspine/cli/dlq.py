"""`dataspine dlq`: the dead letters."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, count, emit, narrate, say, table
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataspine.pipeline.redrive import Verdict
    from dataspine.schemas.dead_letter import DeadLetter
    from dataspine.service.letters import Selection

LAST_ID = 2**63 - 1
IdsArgument = Annotated[
    list[int] | None, typer.Argument(metavar="[ID]...", min=1, max=LAST_ID, help="Numbers of letters.")
]
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, max=LAST_ID, help="Number of a letter.")]
ReasonFilter = Annotated[
    str | None, typer.Option("--code", help="Only letters whose first reason is this code.")
]
SourceFilter = Annotated[str | None, typer.Option("--source", help="Only letters of this source.")]
StateFilter = Annotated[str | None, typer.Option("--state", help="open, resolved or discarded.")]
KindFilter = Annotated[
    str | None, typer.Option("--fingerprint", help="Only letters with exactly these reasons.")
]
WhyOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
RAW_BYTES_SHOWN = 2_000

app = typer.Typer(help="Dead letters: look, edit, retry, discard, restore.", no_args_is_help=True)


def commands() -> typer.Typer:
    """The sub-commands of `dlq`."""
    return app


@app.command("list")
def list_letters(
    context: typer.Context,
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", "--code", help="Only letters whose first reason is this code.")
    ] = None,
    source: SourceFilter = None,
    state: StateFilter = None,
    fingerprint: KindFilter = None,
    after: Annotated[
        int, typer.Option("--after", min=0, max=LAST_ID, help="Only letters with a higher number.")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    grouped: Annotated[bool, typer.Option("--groups", help="One line a source and kind of reason.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List letters in order of number; `next` of the JSON form is the `--after` of the next page."""
    from dataspine.service import letters
    from dataspine.service.letters import Selection

    desk = desk_of(context)
    if grouped:
        _list_groups(letters.groups(desk, state=state or "open", source=source), as_json=as_json)
        return
    selection = Selection(reason=reason, source=source, state=state, fingerprint=fingerprint)
    found, following = letters.page(desk, selection, after=after, limit=limit)
    document = {"dead_letters": [_document(letter) for letter in found], "next": following}
    emit(as_json, document, lambda: _print_letters(found, following))


@app.command()
def show(
    context: typer.Context,
    letter_id: IdArgument,
    raw: Annotated[bool, typer.Option("--raw", help="Write the original bytes and nothing else.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one letter: every reason, its bytes, and what became of it."""
    from dataspine.service import letters

    letter = letters.show(desk_of(context), letter_id)
    if raw:
        sys.stdout.buffer.write(letter.raw)
        sys.stdout.buffer.flush()
        return
    emit(as_json, _whole_document(letter), lambda: _print_letter(letter))


@app.command()
def edit(
    context: typer.Context,
    letter_id: IdArgument,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="File with the bytes to try; - for standard input. Default: $EDITOR."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Lay other bytes beside a letter's own, to be tried at the next retry; the original never changes."""
    from dataspine.service import letters

    desk = desk_of(context)
    letter = letters.show(desk, letter_id)
    letters.require_editable(letter)
    replacement = _replacement(letter, file)
    if replacement == letter.bytes_to_try:
        narrate("Nothing was changed.")
        raise typer.Exit(0)
    verdict = letters.edit(desk, letter, replacement)
    _report([verdict], as_json=as_json, done="would")


@app.command()
def retry(
    context: typer.Context,
    *,
    ids: IdsArgument = None,
    code: ReasonFilter = None,
    source: SourceFilter = None,
    fingerprint: KindFilter = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge open letters again; what passes is stored, what fails keeps its new reasons."""
    from dataspine.service import letters

    desk = desk_of(context)
    chosen = letters.selected(desk, _selection(ids, code, source, fingerprint, "open"))
    verdicts = letters.rehearse(desk, chosen) if dry_run else letters.retry(desk, chosen)
    _report(verdicts, as_json=as_json, done="would" if dry_run else "did")


@app.command()
def discard(
    context: typer.Context,
    *,
    reason: WhyOption,
    ids: IdsArgument = None,
    code: ReasonFilter = None,
    source: SourceFilter = None,
    fingerprint: KindFilter = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Mark open letters as not wanted, all or none; their bytes stay."""
    from dataspine.service import letters

    desk = desk_of(context)
    chosen = letters.selected(desk, _selection(ids, code, source, fingerprint, "open"))
    changed = 0 if dry_run else letters.discard(desk, chosen, reason=reason)
    _report_marks("discarded", chosen, changed, as_json=as_json)


@app.command()
def restore(
    context: typer.Context,
    *,
    reason: WhyOption,
    ids: IdsArgument = None,
    code: ReasonFilter = None,
    source: SourceFilter = None,
    fingerprint: KindFilter = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open discarded letters again, all or none."""
    from dataspine.service import letters

    desk = desk_of(context)
    chosen = letters.selected(desk, _selection(ids, code, source, fingerprint, "discarded"))
    changed = 0 if dry_run else letters.restore(desk, chosen, reason=reason)
    _report_marks("restored", chosen, changed, as_json=as_json)


@app.command()
def export(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option("--out", help="Directory to make.")],
    ids: IdsArgument = None,
    code: ReasonFilter = None,
    source: SourceFilter = None,
    state: StateFilter = None,
    fingerprint: KindFilter = None,
    as_json: JsonOption = False,
) -> None:
    """Write letters to a new directory: `letters.jsonl`, and the bytes of each as received."""
    from dataspine.cli.output import json_text
    from dataspine.service import letters

    chosen = letters.selected(desk_of(context), _selection(ids, code, source, fingerprint, state))
    if out.exists():
        raise RequestError("the directory exists already", found=out, cure="Name a new one")
    with _named_file(out):
        out.mkdir(mode=0o700, parents=True)
    with _named_file(out), (out / "letters.jsonl").open("w", encoding="ascii", newline="\n") as index:
        for letter in chosen:
            index.write(json_text(_whole_document(letter), indent=None) + "\n")
            (out / f"{letter.letter_id}.raw").write_bytes(letter.raw)
            if letter.edited is not None:
                (out / f"{letter.letter_id}.edited").write_bytes(letter.edited)
    document = {"letters": len(chosen), "directory": str(out)}
    emit(as_json, document, lambda: say(f"{count(len(chosen))} letters in {out}"))


def _selection(
    ids: Sequence[int] | None,
    code: str | None,
    source: str | None,
    fingerprint: str | None,
    state: str | None,
) -> Selection:
    """Letters by number or by filter; never all of them by accident."""
    from dataspine.service.letters import Selection

    filters = (code, source, fingerprint)
    if bool(ids) == any(filters):
        raise RequestError(
            "name letters by number, or by --code, --source, --fingerprint",
            found="both" if ids else "neither",
            cure="`dataspine dlq list` shows them",
        )
    return Selection(tuple(ids or ()), reason=code, source=source, state=state, fingerprint=fingerprint)


def _replacement(letter: DeadLetter, file: Path | None) -> bytes:
    if file is not None:
        with _named_file(file):
            return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    import click

    encoding = letter.context.get("encoding", "utf-8")
    try:
        text = letter.bytes_to_try.decode(encoding)
        edited = click.edit(text)
        return letter.bytes_to_try if edited is None else edited.rstrip("\n").encode(encoding)
    except UnicodeError as error:
        number = letter.letter_id
        raise RequestError(
            f"an editor needs text in {encoding}",
            found=error.reason if isinstance(error, UnicodeDecodeError | UnicodeEncodeError) else str(error),
            cure=f"`dlq show {number} --raw > FILE`, change the bytes, `dlq edit {number} --file FILE`",
        ) from error


@contextmanager
def _named_file(path: Path) -> Iterator[None]:
    """Say which of the operator's files failed, and why."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"the file cannot be used ({error.strerror})", where=str(path)) from error


def _document(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.letter_id,
        "source": letter.source,
        "state": letter.state,
        "scope": letter.scope,
        "position": letter.position,
        "records": letter.records,
        "reasons": [
            {"code": reason.code, "field": reason.field, "message": reason.message}
            for reason in letter.reasons
        ],
        "fingerprint": letter.fingerprint,
        "object_name": letter.object_name,
        "payload_sha256": letter.payload_sha256,
        "attempts": letter.attempts,
    }


def _whole_document(letter: DeadLetter) -> dict[str, object]:
    from dataspine.clock import iso_from_us

    return {
        **_document(letter),
        "run_id": letter.run_id,
        "rule_version": letter.rule_version,
        "context": letter.context,
        "raw": letter.raw.decode("utf-8", "backslashreplace"),
        "edited": None if letter.edited is None else letter.edited.decode("utf-8", "backslashreplace"),
        "created_at": iso_from_us(letter.created_at_us),
        "changed_at": iso_from_us(letter.changed_at_us),
        "resolved_by_run": letter.resolved_by_run,
        "resolved_key": letter.resolved_key,
        "note": letter.note,
    }


def _print_letters(found: Sequence[DeadLetter], following: int | None) -> None:
    if not found:
        say("No dead letters of this kind.")
        return
    rows = [
        (
            letter.letter_id,
            letter.source,
            letter.state,
            letter.position,
            "; ".join(str(item) for item in letter.reasons),
        )
        for letter in found
    ]
    table("Dead letters", ["id", "source", "state", "record", "why"], rows)
    if following is not None:
        say(f"More follow: --after {following}")


def _list_groups(groups: Sequence[object], *, as_json: bool) -> None:
    from dataclasses import asdict

    documents = [asdict(group) for group in groups]  # type: ignore[call-overload]
    rows = [(item["letters"], item["source"], item["fingerprint"], item["first_id"]) for item in documents]
    emit(
        as_json,
        {"groups": documents},
        lambda: table("Dead letters by kind", ["letters", "source", "reasons", "first id"], rows),
    )


def _print_letter(letter: DeadLetter) -> None:
    from dataspine.clock import iso_from_us
    from dataspine.inert_text import inert_bytes

    say(f"Dead letter {letter.letter_id}, {letter.state}, {letter.source}, {letter.attempts} attempt(s)")
    say(f"Record {letter.position} of {letter.object_name}, received {iso_from_us(letter.created_at_us)}")
    for reason in letter.reasons:
        say(f"  {reason}")
    if letter.resolved_by_run is not None:
        say(f"Stored by run {letter.resolved_by_run} as {letter.resolved_key or 'part of its payload'}")
    if letter.note:
        say(f"Note: {letter.note}")
    shown = letter.raw[:RAW_BYTES_SHOWN]
    say(f"Bytes as received ({len(letter.raw)}; payload {letter.payload_sha256[:12]}):")
    say(inert_bytes(shown) + (" …" if len(shown) < len(letter.raw) else ""))
    if letter.edited is not None:
        say(f"Edited ({len(letter.edited)} bytes), tried instead:")
        say(inert_bytes(letter.edited[:RAW_BYTES_SHOWN]))


def _report(verdicts: Sequence[Verdict], *, as_json: bool, done: str) -> None:
    """Say of each letter what it did or would do; exit 1 when one fails."""
    passing = [verdict for verdict in verdicts if verdict.passes]
    failing = [verdict for verdict in verdicts if not verdict.passes]
    document = {
        "letters": len(verdicts),
        "pass": len(passing),
        "fail": len(failing),
        "verdicts": [
            {
                "id": verdict.letter_id,
                "passes": verdict.passes,
                "key": verdict.key,
                "run_id": verdict.run_id,
                "reasons": [
                    {"code": item.code, "field": item.field, "message": item.message}
                    for item in verdict.reasons
                ],
            }
            for verdict in verdicts
        ],
    }
    emit(as_json, document, lambda: _print_verdicts(passing, failing, done=done))
    if failing:
        raise typer.Exit(1)


def _print_verdicts(passing: Sequence[Verdict], failing: Sequence[Verdict], *, done: str) -> None:
    pass_word, fail_word = ("pass now", "would fail again") if done == "would" else ("stored", "failed again")
    total = len(passing) + len(failing)
    say(f"Of {count(total)}: {count(len(passing))} {pass_word}, {count(len(failing))} {fail_word}.")
    rows = [
        (verdict.letter_id, "; ".join(str(item) for item in verdict.reasons)) for verdict in failing[:100]
    ]
    if rows:
        table("Still refused", ["id", "why"], rows)


def _report_marks(word: str, chosen: Sequence[DeadLetter], changed: int, *, as_json: bool) -> None:
    document = {"letters": len(chosen), "changed": changed, "ids": [letter.letter_id for letter in chosen]}
    emit(as_json, document, lambda: say(f"{count(changed)} of {count(len(chosen))} letters {word}."))
