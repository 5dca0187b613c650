"""Ingest as an operator asks for it: the profile to use, then fetch, keep and judge every object of a source."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataspine.errors import DataspineError, RequestError, StorageError

if TYPE_CHECKING:
    from dataspine.adapters.transport import Transport
    from dataspine.engine.objects import Found
    from dataspine.pipeline.ingest import Progress
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.run import RunSummary
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk

OnProgress = Callable[[str, "Progress"], None]
"""Told the object's name and how far it is."""


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What to ingest: configured sources, or files under one profile."""

    profiles: tuple[SourceProfile, ...]
    files: tuple[Path, ...] = ()
    """Read instead of the profile's own objects."""
    chunk_records: int | None = None
    audit_log: Path | None = None
    """Gets the audit events of this ingest as JSON lines."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that could not be read to its end."""

    source: str
    error: DataspineError


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, source by source."""

    runs: list[RunSummary] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    """Sources that had nothing to read."""

    def has_rejects(self) -> bool:
        """Whether any record was refused."""
        return any(run.counts.rejected for run in self.runs)


def requested_profiles(desk: Desk, names: Sequence[str], *, take_all: bool) -> tuple[SourceProfile, ...]:
    """Profiles of the sources named, each once and in that order, or of all.

    Raises: RequestError if nothing is named, or a name is unknown; ConfigError.
    """
    if take_all == bool(names):
        raise RequestError(
            "name sources, or --all, or --file with --preset",
            found="sources and --all" if names else "none of them",
            cure="`dataspine sources list` names them",
        )
    if names:
        return tuple(desk.profile(name) for name in dict.fromkeys(names))
    if not desk.settings.sources:
        raise RequestError(
            "no source is configured",
            where=str(desk.settings.file or desk.home),
            cure="`dataspine init` writes a configuration to start from; `--file F --preset NAME` needs none",
        )
    return tuple(desk.settings.sources.values())


def profile_for_files(
    desk: Desk, *, preset: str | None, source: str | None, overrides: Sequence[str]
) -> SourceProfile:
    """The profile for files given by hand: a preset with `key=value` over it, or a configured source.

    Raises: RequestError, ConfigError.
    """
    from dataspine.config import profile_from_table

    if preset is not None:
        return profile_from_table(source or preset, {"preset": preset, **table_from_overrides(overrides)})
    if source is None:
        raise RequestError(
            "--file needs a profile",
            cure="Add --preset NAME (docs/reference/source_registry.md) or --source NAME",
        )
    if overrides:
        raise RequestError(
            "--set goes over a preset", cure="Add --preset NAME, or change the source in dataspine.toml"
        )
    return desk.profile(source)


def table_from_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """`csv.delimiter=;` and the like as one nested table; a value is TOML, or else plain text.

    Raises: RequestError if one is no `key=value`.
    """
    merged: dict[str, Any] = {}
    for override in overrides:
        _merge(merged, _table_from_override(override))
    return merged


def _table_from_override(override: str) -> dict[str, Any]:
    key, equals, value = override.partition("=")
    if equals and key.strip():
        for text in (value, json.dumps(value, ensure_ascii=False)):
            try:
                table = tomllib.loads(f"{key} = {text}")
            except tomllib.TOMLDecodeError:
                continue
            # Dates stay text: no key of a profile is a date, and several are texts that look like one.
            if _holds_plain_values(table):
                return table
    raise RequestError("--set needs KEY=VALUE", found=override, cure="Write it like --set csv.delimiter=;")


def _holds_plain_values(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_holds_plain_values(item) for item in value.values())
    if isinstance(value, list):
        return all(_holds_plain_values(item) for item in value)
    return isinstance(value, str | int | float | bool)


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def run_ingest(
    desk: Desk,
    request: IngestRequest,
    *,
    on_progress: OnProgress | None = None,
    on_run: Callable[[RunSummary], None] | None = None,
) -> IngestReport:
    """Ingest source after source; one that fails does not stop the others.

    Raises: StorageError, which stops everything.
    """
    report = IngestReport()
    start = _audit_head(desk) if request.audit_log else 0
    try:
        for profile in request.profiles:
            _ingest_into(report, desk, profile, request, on_progress=on_progress, on_run=on_run)
    finally:
        if request.audit_log:
            _mirror(desk, request.audit_log, after=start)
    return report


def _ingest_into(
    report: IngestReport,
    desk: Desk,
    profile: SourceProfile,
    request: IngestRequest,
    *,
    on_progress: OnProgress | None,
    on_run: Callable[[RunSummary], None] | None,
) -> None:
    runs = 0
    try:
        for summary in ingest_source(
            desk, profile, on_progress, files=request.files, chunk_records=request.chunk_records
        ):
            runs += 1
            report.runs.append(summary)
            if on_run:
                on_run(summary)
    except StorageError:
        raise
    except DataspineError as error:
        report.failures.append(Failure(profile.name, error))
    else:
        if not runs:
            report.empty.append(profile.name)


def ingest_source(
    desk: Desk,
    profile: SourceProfile,
    on_progress: OnProgress | None = None,
    *,
    files: Sequence[Path] = (),
    chunk_records: int | None = None,
) -> Iterator[RunSummary]:
    """Fetch, keep and judge the source's objects, one run each.

    Raises: SourceError if it cannot be read; what came before is stored. ConfigError, BusyError, StorageError.
    """
    from functools import partial

    from dataspine.engine.intake import kept, take_in
    from dataspine.pipeline.ingest import IngestOptions
    from dataspine.schemas.payload import CHUNK_RECORDS

    with desk.acting() as spine:
        for found in _objects(desk, spine, profile, files):
            report = partial(on_progress, found.fetched.object_name) if on_progress else None
            options = IngestOptions(chunk_records=chunk_records or CHUNK_RECORDS, on_progress=report)
            summary = take_in(spine, profile, found, kept(spine, found), options=options)
            if summary is not None:
                yield summary


def _objects(desk: Desk, spine: Spine, profile: SourceProfile, files: Sequence[Path]) -> Iterator[Found]:
    """These files, or what the source has today."""
    from functools import partial

    from dataspine.adapters.transport import transport_for
    from dataspine.config import resolve_secret
    from dataspine.engine.intake import day_of, found_objects
    from dataspine.engine.objects import Found

    if files:
        for transport in transports_of(desk, profile, files=files):
            yield from map(Found, transport.fetch())
        return
    yield from found_objects(
        spine,
        profile,
        day=day_of(spine, profile),
        symbols=profile.symbols,
        transport_of=partial(transport_for, root=desk.settings.data_root, secrets=resolve_secret),
        wait_s=desk.clock.sleep_s,
    )


def transports_of(desk: Desk, profile: SourceProfile, *, files: Sequence[Path] = ()) -> Iterator[Transport]:
    """Where the bytes would come from today: these files, or what the profile says.

    Raises: ConfigError if the profile says nothing, or a secret is missing.
    """
    from dataspine.adapters.transport import FileTransport, transport_for
    from dataspine.clock import iso_from_us
    from dataspine.config import resolve_secret
    from dataspine.engine.partition import asked, day_of_partition

    for file in files:
        # The operator named the very file, so a symbolic link may lead anywhere.
        real = file.resolve()
        yield FileTransport(real.name, root=real.parent)
    if not files:
        day = day_of_partition(iso_from_us(desk.clock.now_us()), None, zone=profile.schedule_zone)
        for filled in asked(profile, day, profile.symbols):
            yield transport_for(filled, root=desk.settings.data_root, secrets=resolve_secret)


def _audit_head(desk: Desk) -> int:
    """Sequence of the newest audit event; 0 where there is no workspace yet."""
    from dataspine.store import audit_events

    if not _has_database(desk):
        return 0
    with desk.reading() as database:
        newest = audit_events.last(database.connection)
    return newest.sequence if newest else 0


def _has_database(desk: Desk) -> bool:
    from dataspine.store.workspace import DATABASE_NAME

    return (desk.home / DATABASE_NAME).exists()


def _mirror(desk: Desk, path: Path, *, after: int) -> None:
    from dataspine.audit.export import mirror

    if not _has_database(desk):
        return
    with desk.reading() as database:
        mirror(database.connection, path, after=after)
