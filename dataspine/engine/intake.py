"""One object of a source taken in: archived, judged, stored, and remembered where each is taken only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from dataspine.clock import iso_from_us
from dataspine.engine.objects import Found, objects_of
from dataspine.engine.partition import asked, day_of_partition
from dataspine.pipeline.ingest import ingest_payload
from dataspine.store import sessions, taken

if TYPE_CHECKING:
    from dataspine.engine.objects import TransportOf
    from dataspine.pipeline.ingest import IngestOptions
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.payload import Payload
    from dataspine.schemas.run import RunSummary
    from dataspine.schemas.source import SourceProfile


def day_of(spine: Spine, profile: SourceProfile, partition: str | None = None) -> date:
    """The session date that a partition stands for, or the present instant does.

    Raises: ConfigError, OutsideCalendar.
    """
    connection = spine.workspace.database.connection
    calendar = sessions.calendar_in_force(connection, profile.calendar) if profile.calendar else None
    text = iso_from_us(spine.clock.now_us()) if partition is None else partition
    return day_of_partition(text, calendar, zone=profile.schedule_zone)


def found_objects(
    spine: Spine,
    profile: SourceProfile,
    *,
    day: date,
    symbols: Sequence[str],
    transport_of: TransportOf,
    wait_s: Callable[[float], None],
) -> Iterator[Found]:
    """What there is to take in for a day; `wait_s` waits between two looks at a file.

    Raises: SourceError, ConfigError, StorageError.
    """
    for filled in asked(profile, day, symbols):
        yield from objects_of(spine, filled, transport_of, wait_s=wait_s)


def kept(spine: Spine, found: Found) -> Payload:
    """The object's bytes in the archive. Raises: SourceError, StorageError."""
    return spine.workspace.archive.keep(
        found.fetched.open(), object_name=found.fetched.object_name, received_at_us=spine.clock.now_us()
    )


def take_in(
    spine: Spine, profile: SourceProfile, found: Found, payload: Payload, *, options: IngestOptions
) -> RunSummary | None:
    """Ingest an archived object and remember it; None if these very bytes were taken before.

    `profile` is the source's own, placeholders and all: it is what made the records.
    Raises: BusyError, StorageError.
    """
    if found.taken_as is None:
        return ingest_payload(spine, profile, payload, options=options)
    remembered, database = found.taken_as(payload), spine.workspace.database
    is_known = taken.is_taken(database.connection, profile.name, remembered.object_name, remembered.sha256)
    summary = None if is_known else ingest_payload(spine, profile, payload, options=options)
    with database.transaction() as tx:
        taken.save(tx, profile.name, remembered, now_us=spine.clock.now_us())
    return summary
